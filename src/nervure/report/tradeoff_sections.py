"""The parts of a report that only networks whose edges had a price have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nervure.report.material import Material
from nervure.report.page import picture, section
from nervure.report.stage_drawing import stage_drawing
from nervure.report.strength_history import strength_history
from nervure.report.threshold_curves import threshold_curves
from nervure.report.words import escape, finite, metrics_table, number, percent, plural
from nervure.topology import Topology

_WIRING = {
    "sparsity": "sparsity",
    "nodes": "nodes on a path from input to output",
    "log_paths": "logarithm of the number of paths",
    "mean_path": "mean length of a path",
    "max_path": "longest path",
    "ln_communicability": "logarithm of the communicability of input and output",
    "edge_connectivity": "edges to cut input and output apart",
    "mean_degree": "mean degree",
    "pca_elongation": "elongation (0: round, 1: a line)",
}
_STAGES = {"sparsity_stage": "sparsity in stage", "nodes_stage": "nodes of stage"}
_SHARES = "sparsity"


def tradeoff(material: Material) -> str:
    """Show the graph that was learned, how its edges came about, and what thresholds cost."""
    if not material.tradeoff:
        return ""
    parts = (_graph(material), _strengths(material), _thresholds(material), _numbers(material))
    return "\n".join(part for part in parts if part)


def _graph(material: Material) -> str:
    topology, stages = material.topology, material.stages
    if topology is None or stages is None or not topology.live.any():
        return ""
    counts = np.bincount(stages[topology.live], minlength=int(stages.max()) + 1)
    by_stage = ", ".join(f"{count} in stage {k}" for k, count in enumerate(counts.tolist()))
    described = (
        f"Graph of {plural(int(topology.live.sum()), 'node')} ({by_stage}) and "
        f"{plural(topology.num_edges, 'edge')}, from the input on the left to the output."
    )
    caption = (
        "Each node is a block of layers. Distances on paper are as near as can be to distances in "
        "the graph; an edge is narrow towards its target, in the colour of the stage it comes from."
    )
    if len(counts) > 1:
        caption += " From a stage to the next, blocks get wider, and images smaller."
    figure = stage_drawing(topology, stages)
    return section("graph", "The learned graph", picture(figure, "graph", described, caption))


def _strengths(material: Material) -> str:
    """Show the strengths of the edges that stay and of those that go."""
    start = _start(material)
    topology = material.topology
    if start is None or topology is None:
        return ""
    at, strengths = [], []
    begin = finite(material.config.get("edge_start"))
    if begin is not None:
        at, strengths = [0], [[begin] * start.num_edges]
    for epoch in material.epochs:
        values = epoch.get("strengths")
        if isinstance(values, list) and len(values) == start.num_edges:
            at.append(int(epoch["epoch"]))
            strengths.append(values)
    if not at or material.result.get("threshold") is None:
        return ""
    retained = np.zeros(start.num_edges, dtype=np.bool_)
    retained[topology.edge_positions_in(start)] = True
    threshold = float(material.result["threshold"])
    caption = (
        f"Strength of an edge is |tanh w|. {number(int(retained.sum()))} of "
        f"{plural(len(retained), 'edge')} stay; those that go have fallen below the threshold of "
        f"{number(threshold)}, or lie on no path from the input to the output without those. "
        "Strengths below the axis are drawn on it."
    )
    if threshold == 0:
        caption = "Strength of an edge is |tanh w|. All edges were kept."
    figure = strength_history(at, strengths, retained, threshold)
    return section("strengths", "Edges over time", picture(figure, "strengths", caption, caption))


def _start(material: Material) -> Topology | None:
    return next((topology for epoch, topology in material.snapshots if epoch == 0), None)


def _thresholds(material: Material) -> str:
    rows = material.result.get("threshold_sweep")
    if not isinstance(rows, list) or not rows:
        return ""
    chosen = finite(material.result.get("threshold")) or None
    regression = "validation_rmse" in rows[0]
    how = "given" if material.config.get("threshold") is not None else "chosen by them"
    taken = "all edges were kept" if chosen is None else f"{chosen:g} was {how}"
    caption = (
        f"Each threshold was tried on the validation rows; {taken}. The test rows were not looked "
        "at for this."
    )
    content = []
    if not regression:
        accuracy = [_number(row.get("validation_error")) for row in rows]
        figure = threshold_curves(
            [row["threshold"] for row in rows],
            {"validation rows": [1 - value for value in accuracy]},
            {"validation rows": [row["sparsity"] for row in rows]},
            chosen=chosen,
        )
        content.append(picture(figure, "thresholds", caption, caption))
    else:
        content.append(f"<p>{escape(caption)}</p>")
    content.append(metrics_table([_row(row) for row in rows], _COLUMNS))
    return section("thresholds", "Thresholds", *content)


_COLUMNS = (
    ("threshold", "threshold"),
    ("edges", "edges"),
    ("sparsity", "sparsity"),
    ("nodes", "nodes"),
    ("parameters", "parameters"),
    ("error", "validation error"),
    ("rmse", "validation RMSE"),
)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    cells = {key: row[key] for key in ("threshold", "edges", "nodes", "parameters")}
    cells["sparsity"] = percent(row["sparsity"])
    if "validation_rmse" in row:
        return cells | {"rmse": row["validation_rmse"]}
    error = finite(row["validation_error"])
    return cells | {"error": "no path is left" if error is None else percent(error)}


def _number(value: object) -> float:
    found = finite(value)
    return float("nan") if found is None else found


def _numbers(material: Material) -> str:
    """List what the graph is like beside the one it was pruned from."""
    after = material.result.get("characteristics")
    before = material.result.get("characteristics_start")
    if not isinstance(after, Mapping) or not isinstance(before, Mapping):
        return ""
    named = {key: _named(key) for key in after}
    rows = [
        {"name": name, "before": _cell(key, before.get(key)), "after": _cell(key, after[key])}
        for key, name in named.items()
    ]
    columns = (("name", "measure"), ("before", "all edges"), ("after", "without the weak ones"))
    text = (
        "As in Tables 1 and 2 of the paper; docs/measures.md says how each is computed. A dash "
        "stands where a measure has no value."
    )
    return section(
        "numbers", "The graph in numbers", metrics_table(rows, columns), f"<p>{escape(text)}</p>"
    )


def _named(key: str) -> str:
    if key in _WIRING:
        return _WIRING[key]
    what, _, stage = key.rpartition("_")
    return f"{_STAGES[what]} {stage}" if what in _STAGES else key


def _cell(key: str, value: object) -> str:
    found = finite(value)
    if found is None:
        return number(None)
    return percent(found) if key.startswith(_SHARES) else number(round(found, 4))
