"""The parts of a report, each a function from the run's material to HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nervure.report.adjacency import adjacency_history, adjacency_matrix, is_crowded
from nervure.report.curves import (
    has,
    module_history,
    rewiring_history,
    series,
    sweep_history,
    training_curves,
)
from nervure.report.drawing import MOST_EDGES, graph_drawing
from nervure.report.headline import headline
from nervure.report.layered_sections import degrees, importance, layers, update_log
from nervure.report.material import Material
from nervure.report.module_section import module_section
from nervure.report.page import picture, section
from nervure.report.pruning import pruning
from nervure.report.tradeoff_sections import tradeoff
from nervure.report.updates import pair_densities, update_history
from nervure.report.words import (
    facts_table,
    finite,
    metrics_table,
    number,
    percent,
    plural,
)

_MOST_ROWS = 200
_COLUMNS = (
    ("epoch", "epoch"),
    ("seconds", "seconds"),
    ("train_loss", "training loss"),
    ("validation_loss", "validation loss"),
    ("validation_error", "validation error (share)"),
    ("validation_rmse", "validation RMSE"),
    ("networks", "networks trained"),
    ("accepted", "accepted"),
    ("finished", "finished before"),
    ("edges", "edges"),
    ("units", "hidden units"),
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


def body(material: Material) -> tuple[str, str]:
    """Give the title (plain text) and the body (HTML) of the page."""
    title = f"{material.get('method') or 'nervure run'} on {material.get('dataset') or 'data'}"
    parts = (
        headline(material, title),
        pruning(material) or curves(material),
        tradeoff(material),
        module_section(material.modules) if material.modules is not None else "",
        matrix(material),
        drawing(material),
        modules(material),
        layers(material),
        degrees(material),
        importance(material),
        rewiring(material),
        update_log(material),
        coactivation(material),
        sweeps(material),
        tables(material),
    )
    return title, "\n".join(part for part in parts if part)


def curves(material: Material) -> str:
    """Show training loss and validation error."""
    if not material.epochs:
        return section("curves", "Training", f"<p>No {material.period} was recorded.</p>")
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
    if material.tradeoff:
        caption = "Loss on the data trained on, without the price of edges, and error on data held "
        caption += "out, all before weak edges went."
    if baseline:
        caption += f" {_about_baseline(material)}"
    figure = training_curves(
        material.epochs, baseline=baseline, baseline_label=material.baseline_label
    )
    return section("curves", "Training", picture(figure, "curves", described, caption))


def _about_baseline(material: Material) -> str:
    label = material.baseline_label
    if material.tradeoff:
        return (
            f"The {label} has as many nodes of the same widths, each reading only the one before "
            "it, and the same data and training."
        )
    if material.sizes:
        return f"The {label} has the same layers with every edge, and the same data."
    matched = material.config.get("baseline_neurons")
    size = (
        f"{number(matched)} neurons, by which it has at least as many parameters"
        if type(matched) is int
        else "as many neurons"
    )
    return f"The {label} has one hidden layer of {size}, and the same data."


def matrix(material: Material) -> str:
    """Show the adjacency matrix at the end, and on the way there."""
    topology = material.topology
    if topology is None:
        return ""
    sizes = sorted((len(module) for module in topology.components.modules), reverse=True)
    listed = ", ".join(str(size) for size in sizes[:12]) + (", …" if len(sizes) > 12 else "")
    described = f"Matrix of {plural(topology.num_edges, 'edge')} among {topology.num_nodes} nodes"
    if is_crowded(topology):
        marks = (
            "Each mark stands for edges from nodes of its column to nodes of its row: they are too "
            "many to be drawn one by one"
        )
    else:
        marks = "Each mark is an edge from the node of its column to the node of its row"
        marks += "" if material.weights is None else ", stronger marks are larger weights"
    caption = f"The wiring {material.origin}. {marks}. "
    if material.cyclic:
        described += f" with {plural(len(sizes), 'module')}"
        described += f" of {listed} nodes" if sizes else ""
        caption += (
            "Squares enclose modules: nodes that reach each other in cycles. All other edges lie "
            "below the diagonal: they lead forwards."
        )
    elif material.sizes:
        caption += "Each block of the staircase joins a layer to the next."
    else:
        caption += "All lie below the diagonal: they lead forwards."
    figure = adjacency_matrix(topology, material.weights)
    content = [picture(figure, "matrix", f"{described}.", caption)]
    # Of edges that all go at the end there is nothing to see on the way.
    if len(material.snapshots) > 1 and not material.tradeoff:
        content.append(_history(material))
    heading = "Adjacency matrix, ordered by module" if material.cyclic else "Adjacency matrix"
    return section("matrix", heading, *content)


def _history(material: Material) -> str:
    described = f"The matrix at several {material.period}s: " + "; ".join(
        f"{material.period} {epoch}, "
        + (
            plural(len(topology.components.modules), "module")
            if material.cyclic
            else plural(topology.num_edges, "edge")
        )
        for epoch, topology in material.snapshots[:: max(1, len(material.snapshots) // 6)]
    )
    caption = "The wiring over time" + (
        "; in each panel nodes are ordered by the modules of then."
        if material.cyclic
        else f", {material.period} 0 being the start."
        if material.snapshots[0][0] == 0
        else "."
    )
    figure = adjacency_history(material.snapshots, period=material.period)
    return picture(figure, "history", described, caption)


def drawing(material: Material) -> str:
    """Show the graph; one without cycles only where the drawing says more than the matrix."""
    topology = material.topology
    if topology is None or not topology.num_edges or material.tradeoff:
        return ""
    # A graph with hardly more than a node per column is drawn as a line that hides its edges.
    chain = topology.depth > topology.num_nodes / 2
    if not material.cyclic and (chain or topology.num_edges > MOST_EDGES):
        return ""
    if material.cyclic:
        modules = len(topology.components.modules)
        described = (
            f"Graph with {plural(modules, 'module')} drawn as discs, from left to right in the "
            "order in which they feed each other."
        )
        caption = (
            "Signals flow along the arrows, from left to right between modules and in cycles "
            "within them; a cycle means a steady state."
        )
    else:
        described = (
            f"Graph without cycles, its longest path {plural(topology.depth, 'edge')} long, drawn "
            "from left to right."
        )
        caption = "Signals flow along the arrows, from left to right."
    if len(topology.inputs) == topology.num_nodes:
        caption = f"Every node receives all of the data. {caption}"
    if material.weights is not None:
        caption += " Thicker lines are larger weights."
    figure = graph_drawing(topology, material.weights)
    return section("graph", "The graph", picture(figure, "graph", described, caption))


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
    return section("modules", "Modules over time", picture(figure, "modules", described, caption))


def rewiring(material: Material) -> str:
    """Show edges rewired per epoch."""
    if not has(material.epochs, "pruned", "grown") or material.tradeoff:
        return ""
    grown, pruned = (np.nan_to_num(series(material.epochs, key)) for key in ("grown", "pruned"))
    caption = (
        f"In all, {number(float(grown.sum()))} edges were grown and "
        f"{number(float(pruned.sum()))} pruned. An edge that goes and comes back counts each time."
    )
    ends = series(material.epochs, "edges")
    if material.updates and np.isfinite(ends[-1]):
        pairs = _pairs(material)
        steps = int(pairs[-1]["step"]) if pairs else 0
        figure = update_history(material.updates, int(ends[-1]), steps=steps)
    else:
        figure = rewiring_history(material.epochs)
    return section("rewiring", "Rewiring", picture(figure, "rewiring", caption, caption))


def coactivation(material: Material) -> str:
    """Show how often pairs of neurons were active, and inactive, together."""
    recorded = _pairs(material)
    if not recorded:
        return ""
    first, last = recorded[0], recorded[-1]
    epsilon = finite(material.config.get("epsilon"))
    caption = (
        "Densities over the pairs of neurons, by the share of samples on which both were inactive "
        "(left, what pruning looks at) or active (right, what growth looks at), at the first "
        f"update, in step {number(first['step'])}, and at the last, in step "
        f"{number(last['step'])}."
    )
    if epsilon is not None:
        caption += f" Pairs beyond {number(1 - epsilon)} are pruned, or joined."
    figure = pair_densities(first, last, None if epsilon is None else 1 - epsilon)
    return section("pairs", "Neurons together", picture(figure, "pairs", caption, caption))


def _pairs(material: Material) -> list[Mapping[str, Any]]:
    return [row for epoch in material.epochs for row in epoch.get("pairs") or ()]


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
    return section("sweeps", "Work of the solver", picture(figure, "sweeps", caption, caption))


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
        one = material.period
        which = f"All {one}s" if step == 1 else f"Every {step}th {one}"
        columns = [(key, one if key == "epoch" else text) for key, text in _COLUMNS]
        table = metrics_table(material.epochs[::step], columns)
        content.append(f"<details><summary>{which} as numbers</summary>{table}</details>")
    return section("settings", "How it was made", *content)
