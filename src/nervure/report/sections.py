"""The parts of a report, each a function from the run's material to HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nervure.report.adjacency import adjacency_history, adjacency_matrix
from nervure.report.curves import (
    has,
    module_history,
    rewiring_history,
    series,
    sweep_history,
    training_curves,
)
from nervure.report.drawing import graph_drawing
from nervure.report.style import inline_svg
from nervure.report.words import (
    duration,
    escape,
    facts_table,
    finite,
    metrics_table,
    number,
    percent,
    plural,
)
from nervure.topology import Topology

_MOST_ROWS = 200
_COLUMNS = (
    ("epoch", "epoch"),
    ("seconds", "seconds"),
    ("train_loss", "training loss"),
    ("validation_loss", "validation loss"),
    ("validation_error", "validation error (share)"),
    ("validation_rmse", "validation RMSE"),
    ("edges", "edges"),
    ("modules", "modules"),
    ("largest_module", "largest (nodes)"),
    ("balance", "balance"),
    ("pruned", "pruned"),
    ("grown", "grown"),
    ("sweeps_mean", "sweeps, mean"),
    ("sweeps_max", "sweeps, most"),
    ("residual_max", "residual, most"),
    ("lost", "samples not solved"),
)


@dataclass
class Material:
    """Everything a report is made of; any part may be empty."""

    config: Mapping[str, Any]
    versions: Mapping[str, Any]
    status: str
    reason: str | None
    started: str | None
    result: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    snapshots: Sequence[tuple[int, Topology]]
    topology: Topology | None
    weights: NDArray[np.floating] | None
    origin: str
    notes: Sequence[str]

    def get(self, key: str) -> Any:  # noqa: ANN401
        """Look a value up in the result, else in the settings."""
        return self.result.get(key, self.config.get(key))


def body(material: Material) -> tuple[str, str]:
    """Give the title (plain text) and the body (HTML) of the page."""
    title = f"{material.get('method') or 'nervure run'} on {material.get('dataset') or 'data'}"
    parts = (
        headline(material, title),
        curves(material),
        matrix(material),
        drawing(material),
        modules(material),
        rewiring(material),
        sweeps(material),
        tables(material),
    )
    return title, "\n".join(part for part in parts if part)


def _figure(figure: Figure, name: str, description: str, caption: str) -> str:
    svg = inline_svg(figure, name=name, description=description)
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _section(name: str, heading: str, *content: str) -> str:
    inner = "\n".join(content)
    return (
        f'<section aria-labelledby="h-{name}"><h2 id="h-{name}">{escape(heading)}</h2>\n'
        f"{inner}</section>"
    )


def headline(material: Material, title: str) -> str:
    """Say what was run, how it ended and what came out."""
    ends = {
        "finished": "",
        "failed": "This run failed, so the page shows what was recorded before: ",
        "interrupted": "This run was interrupted, so the page shows what was recorded before. ",
        "running": "This run had not ended when the page was written.",
    }
    parts = [f"<h1>{escape(title)}</h1>"]
    began = f"started {material.started}" if material.started else ""
    seed = material.get("seed")
    line = ", ".join(filter(None, (began, f"seed {seed}" if seed is not None else "")))
    parts.append(f'<p class="quiet">{escape(line)}</p>')
    ending = ends.get(material.status, material.status)
    if ending:
        reason = material.reason or ("no reason given" if material.status == "failed" else "")
        parts.append(f'<p class="note" role="status">{escape(ending + reason)}</p>')
    if material.result.get("converged") is False:
        text = "Some samples found no equilibrium in training; figures below may be unreliable."
        parts.append(f'<p class="note">{text}</p>')
    parts += [f'<p class="note">{escape(note)}</p>' for note in material.notes]
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        f"{f'<small>{escape(aside)}</small>' if aside else ''}</dd></div>"
        for name, value, aside in _facts(material)
    )
    return "\n".join(parts) + (f"\n<dl>{facts}</dl>" if facts else "")


def _facts(material: Material) -> list[tuple[str, str, str]]:
    """Name, value and a smaller remark of each figure in the headline."""
    facts = []
    result = material.result
    for key, name, write in (
        ("test_error", "Test error", percent),
        ("test_rmse", "Test RMSE", number),
    ):
        own, plain = finite(result.get(key)), finite(result.get(f"baseline_{key}"))
        if own is not None:
            aside = "" if plain is None else f"plain network: {write(plain)}"
            facts.append((name, write(own), aside))
    if not facts:
        facts += _last_validation(material)
    topology = material.topology
    edges = finite(result.get("edges"))
    possible = finite(result.get("edges_possible"))
    if topology is not None:
        edges = topology.num_edges if edges is None else edges
        possible = topology.num_nodes * (topology.num_nodes - 1) if possible is None else possible
    if edges is not None:
        aside = f"of {number(possible)} possible ({percent(edges / possible)})" if possible else ""
        facts.append(("Edges kept", number(edges), aside))
    count, largest = finite(result.get("modules")), finite(result.get("largest_module"))
    if topology is not None:
        sizes = [len(module) for module in topology.components.modules]
        count = len(sizes) if count is None else count
        largest = max(sizes, default=0) if largest is None else largest
    if count is not None:
        aside = f"largest: {plural(int(largest), 'node')}" if largest else ""
        facts.append(("Modules", number(count), aside))
    seconds = finite(result.get("seconds"))
    times = series(material.epochs, "seconds")
    if seconds is None and np.isfinite(times).any():
        seconds = float(np.nanmax(times))
    if seconds is not None:
        facts.append(("Training time", duration(seconds), plural(len(material.epochs), "epoch")))
    return facts


def _last_validation(material: Material) -> list[tuple[str, str, str]]:
    for key, name, write in (
        ("validation_error", "Best validation error", percent),
        ("validation_rmse", "Best validation RMSE", number),
    ):
        values = series(material.epochs, key)
        if np.isfinite(values).any():
            return [(name, write(float(np.nanmin(values))), "no test result was recorded")]
    return []


def curves(material: Material) -> str:
    """Show training loss and validation error."""
    if not material.epochs:
        return _section("curves", "Training", "<p>No epoch was recorded.</p>")
    baseline = material.result.get("baseline_epochs")
    baseline = [row for row in baseline or [] if isinstance(row, Mapping)]
    loss = series(material.epochs, "train_loss")
    ends = f"from {number(float(loss[0]))} to {number(float(loss[-1]))}"
    described = f"Training loss over {plural(len(loss), 'epoch')}, {ends}."
    for key, write in (("validation_error", percent), ("validation_rmse", number)):
        values = series(material.epochs, key)
        if np.isfinite(values).any():
            described += f" Best validation {'error' if 'error' in key else 'RMSE'}: "
            described += f"{write(float(np.nanmin(values)))}."
    caption = "Loss on the data trained on, and error on data held out."
    if baseline:
        caption += " The plain network has one hidden layer of as many neurons, and the same data."
    figure = training_curves(material.epochs, baseline=baseline)
    return _section("curves", "Training", _figure(figure, "curves", described, caption))


def matrix(material: Material) -> str:
    """Show the adjacency matrix at the end, and on the way there."""
    topology = material.topology
    if topology is None:
        return ""
    sizes = sorted((len(module) for module in topology.components.modules), reverse=True)
    listed = ", ".join(str(size) for size in sizes[:12]) + (", …" if len(sizes) > 12 else "")
    described = (
        f"Matrix of {plural(topology.num_edges, 'edge')} among {topology.num_nodes} nodes with "
        f"{plural(len(sizes), 'module')}" + (f" of {listed} nodes" if sizes else "") + "."
    )
    strength = "" if material.weights is None else ", stronger marks are larger weights"
    caption = (
        f"The wiring {material.origin}. Each mark is an edge from the node of its column to the "
        f"node of its row{strength}. Squares enclose modules: nodes "
        "that reach each other in cycles. All other edges lie below the diagonal: they lead "
        "forwards."
    )
    figure = adjacency_matrix(topology, material.weights)
    content = [_figure(figure, "matrix", described, caption)]
    if len(material.snapshots) > 1:
        described = "The matrix at several epochs: " + "; ".join(
            f"epoch {epoch}, {plural(len(t.components.modules), 'module')}"
            for epoch, t in material.snapshots[:: max(1, len(material.snapshots) // 6)]
        )
        caption = "The wiring over time; in each panel nodes are ordered by the modules of then."
        history = adjacency_history(material.snapshots)
        content.append(_figure(history, "history", described, caption))
    return _section("matrix", "Adjacency matrix, ordered by module", *content)


def drawing(material: Material) -> str:
    """Show the graph."""
    topology = material.topology
    if topology is None or not topology.num_edges:
        return ""
    modules = len(topology.components.modules)
    described = (
        f"Graph with {plural(modules, 'module')} drawn as discs, from left to right in the order "
        "in which they feed each other."
    )
    caption = (
        "Signals flow along the arrows, from left to right between modules and in cycles within "
        "them; a cycle means a steady state."
    )
    if len(topology.inputs) == topology.num_nodes:
        caption = f"Every node receives all of the data. {caption}"
    if material.weights is not None:
        caption += " Thicker lines are larger weights."
    figure = graph_drawing(topology, material.weights)
    return _section("graph", "The graph", _figure(figure, "graph", described, caption))


def modules(material: Material) -> str:
    """Show modules over time."""
    if not has(material.epochs, "modules") and not any(
        epoch.get("module_sizes") for epoch in material.epochs
    ):
        return ""
    counts = series(material.epochs, "modules")
    described = (
        f"Number of modules from {number(float(counts[0]))} in the first to "
        f"{number(float(counts[-1]))} in the last epoch."
    )
    caption = (
        "Modules are ranked by size anew in each epoch. Balance is the entropy of the sizes "
        "relative to equal sizes; near 0, one module holds nearly everything."
    )
    nodes = material.config.get("nodes")
    figure = module_history(material.epochs, nodes=nodes if type(nodes) is int else None)
    return _section("modules", "Modules over time", _figure(figure, "modules", described, caption))


def rewiring(material: Material) -> str:
    """Show edges rewired per epoch."""
    if not has(material.epochs, "pruned", "grown"):
        return ""
    grown, pruned = (np.nan_to_num(series(material.epochs, key)) for key in ("grown", "pruned"))
    caption = (
        f"In all, {number(float(grown.sum()))} edges were grown and "
        f"{number(float(pruned.sum()))} pruned. An edge that goes and comes back counts each time."
    )
    figure = rewiring_history(material.epochs)
    return _section("rewiring", "Rewiring", _figure(figure, "rewiring", caption, caption))


def sweeps(material: Material) -> str:
    """Show the work of the solver per epoch."""
    if not has(material.epochs, "sweeps_mean", "sweeps_max"):
        return ""
    most = series(material.epochs, "sweeps_max")
    lost = np.nan_to_num(series(material.epochs, "lost")).sum()
    worst = f"At most {number(float(np.nanmax(most)))} sweeps. " if np.isfinite(most).any() else ""
    caption = worst + (
        "Every sample found its equilibrium."
        if not lost
        else f"{number(float(lost))} samples found no equilibrium."
    )
    figure = sweep_history(material.epochs)
    return _section("sweeps", "Work of the solver", _figure(figure, "sweeps", caption, caption))


def tables(material: Material) -> str:
    """List settings, versions and all numbers."""
    settings = {
        name.replace("_", " "): "automatic" if value is None else value
        for name, value in material.config.items()
        if name != "messages"
    }
    versions = {name.replace("_", " "): value for name, value in material.versions.items()}
    content = [
        facts_table(settings, caption="Settings"),
        facts_table(versions, caption="Versions and machine"),
    ]
    if material.epochs:
        step = -(-len(material.epochs) // _MOST_ROWS)
        which = "All epochs" if step == 1 else f"Every {step}th epoch"
        table = metrics_table(material.epochs[::step], _COLUMNS)
        content.append(f"<details><summary>{which} as numbers</summary>{table}</details>")
    return _section("settings", "How it was made", *content)
