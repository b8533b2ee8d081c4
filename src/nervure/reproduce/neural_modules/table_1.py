"""Table 1: error of seven methods on four datasets from 80 to 3,000 nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from nervure.report.style import title
from nervure.reproduce.ledger import Cell
from nervure.reproduce.neural_modules import contest
from nervure.reproduce.neural_modules.comparison import Comparison, compare
from nervure.reproduce.neural_modules.contest_words import AVERAGED, error_text, remarks
from nervure.reproduce.neural_modules.methods import METHODS, Method
from nervure.reproduce.neural_modules.paper import OVER_TIME, table_1
from nervure.reproduce.neural_modules.part import (
    Configuration,
    Found,
    Outcome,
    Part,
    TextTable,
    spread,
)
from nervure.reproduce.panels import legend_below, panel_grid
from nervure.reproduce.plain import plain

NAME = "table-1"
# Beyond this size the paper itself has only the plain network and neural modules, and so have we:
# it gives the others as over time.
LARGEST_OF_ALL = 500
LARGE = ("nn", "nms", "nms-l2", "nms-nm")
_LABELS = {name: method.label for name, method in METHODS.items()}
# Told apart without colours too.
_MARKERS = "osD^vPX"
_COMPARED = [
    ("nms-nm", "nn"), ("nms-nm", "nms"), ("nms-nm", "nms-l2"), ("nms-nm", "deq"),
    ("nms-nm", "dag"), ("nms-nm", "optnet"), ("nms", "nn"),
]  # fmt: skip


def searches(configuration: Configuration, _: Found) -> Sequence[Cell]:
    """List the searches, small networks first."""
    there, _ignored = contest.available(_asked(configuration))
    cells: list[dict[str, Any]] = []
    for nodes in sorted(configuration.sizes):
        names = [m for m in there if nodes <= LARGEST_OF_ALL or m in LARGE]
        methods = {name: METHODS[name] for name in names}
        places = [(data, nodes) for data in configuration.datasets]
        cells += contest.search_cells(NAME, methods, places, configuration)
    return cells


def _asked(configuration: Configuration) -> dict[str, Method]:
    return {
        name: method
        for name, method in METHODS.items()
        if not configuration.methods or name in configuration.methods
    }


def run(cell: Cell) -> dict[str, Any]:
    """Run a search or a training."""
    return contest.run(cell, METHODS)


def outcome(configuration: Configuration, found: Found) -> Outcome:
    """Put the errors beside the paper's, and compare methods seed by seed."""
    asked = _asked(configuration)
    places = _places(found)
    comparisons = [_compared(found, one, other, places) for one, other in _COMPARED]
    tables = []
    for data in dict.fromkeys(data for data, _nodes in places):
        sizes = [nodes for name, nodes in places if name == data]
        tables += [
            _errors(found, asked, data, sizes),
            _seconds(found, asked, data, sizes),
        ]
    _there, missing = contest.available(asked)
    told = [one.sentence(_LABELS) for one in comparisons if one.difference.pairs]
    for data in dict.fromkeys(data for data, _nodes in places):
        one = _compared(found, "nms-nm", "nn", [place for place in places if place[0] == data])
        told += [f"{data}: {one.sentence(_LABELS)}"] if one.difference.pairs else []
    sentences = [
        *(f"left out: {label} ({why})" for label, why in missing.items()),
        *_not_run(asked, places),
        *told,
        *([AVERAGED] if told else []),
        *remarks(found, _LABELS),
    ]
    return Outcome(
        tables=tables,
        sentences=sentences,
        figures={"table-1-errors": _figure(found, places)} if places else {},
        values=_values(found, places, comparisons),
    )


def _compared(found: Found, one: str, other: str, places: Sequence[tuple[str, int]]) -> Comparison:
    errors = [
        (
            place[0],
            contest.by_seed(found, one, *place),
            contest.by_seed(found, other, *place),
        )
        for place in places
    ]
    return compare(one, other, errors)


def _places(found: Found) -> list[tuple[str, int]]:
    return sorted(
        {(str(c["data"]), int(c["nodes"])) for c, _ in contest.trained(found)},
        key=lambda place: (place[0], place[1]),
    )


def _of(found: Found, method: str, data: str, nodes: int) -> list[Mapping[str, Any]]:
    return [
        r
        for c, r in contest.finished(found)
        if (c["method"], c["data"], c["nodes"]) == (method, data, nodes)
    ]


def _errors(
    found: Found, methods: Mapping[str, Method], data: str, sizes: Sequence[int]
) -> TextTable:
    rows = []
    for method in methods:
        ours = [error_text(found, method, data, nodes) for nodes in sizes]
        theirs = [_paper(data, method, nodes) for nodes in sizes]
        rows.append([_LABELS[method], *(f"{a}\n[{b}]" for a, b in zip(ours, theirs, strict=True))])
    return TextTable(
        f"Table 1, {data}: test error, mean ± standard deviation over seeds [the paper's]",
        ["method", *(f"{nodes} nodes" for nodes in sizes)],
        rows,
    )


def _paper(data: str, method: str, nodes: int) -> str:
    value = table_1(data, method, nodes)
    if value is None or value == OVER_TIME:
        return value or "-"
    return f"{value:.3f}"


def _seconds(
    found: Found, methods: Mapping[str, Method], data: str, sizes: Sequence[int]
) -> TextTable:
    rows = []
    for method in methods:
        row = [_LABELS[method]]
        for nodes in sizes:
            results = _of(found, method, data, nodes)
            row.append(
                f"{spread([r['seconds'] for r in results], 0)} s\n"
                f"{spread([r['epoch_seconds'] for r in results])} s"
                if results
                else "-"
            )
        rows.append(row)
    return TextTable(
        f"{data}: seconds of a training, and of one of its epochs (one thread)",
        ["method", *(f"{nodes} nodes" for nodes in sizes)],
        rows,
    )


def _not_run(methods: Mapping[str, Method], places: Sequence[tuple[str, int]]) -> list[str]:
    names = [method.label for name, method in methods.items() if name not in LARGE]
    if not names or all(nodes <= LARGEST_OF_ALL for _, nodes in places):
        return []
    return [
        f"not run beyond {LARGEST_OF_ALL} nodes, where the paper has them over time: "
        f"{', '.join(names)}"
    ]


def _figure(found: Found, places: Sequence[tuple[str, int]]) -> Figure:
    names = list(dict.fromkeys(data for data, _ in places))
    figure, panels = panel_grid(len(names), 2)
    for panel, data in zip(panels, names, strict=True):
        for index, (method, label) in enumerate(_LABELS.items()):
            if not any(_of(found, method, *place) for place in places):
                continue
            sizes = [n for name, n in places if name == data and _of(found, method, data, n)]
            means = [
                100 * fmean(r["test_error"] for r in _of(found, method, data, n)) for n in sizes
            ]
            panel.plot(
                sizes, means, color=f"C{index}", marker=_MARKERS[index], label=label,
                linewidth=1.2, markersize=5,
            )  # fmt: skip
        panel.set(xscale="log", xlabel="nodes", ylabel="test error (%)")
        sizes = sorted({nodes for name, nodes in places if name == data})
        panel.set_xticks(sizes, [f"{nodes:,}" for nodes in sizes])
        panel.set_xticks([], minor=True)
        title(panel, data)
    legend_below(figure, panels[0])
    return figure


def _values(
    found: Found, places: Sequence[tuple[str, int]], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    cells = [
        {
            "data": data,
            "nodes": nodes,
            "method": method,
            "paper": table_1(data, method, nodes),
            "trainings": [
                {"seed": c["seed"], "values": c["values"], **r}
                for c, r in contest.finished(found)
                if (c["method"], c["data"], c["nodes"]) == (method, data, nodes)
            ],
            "failed": [
                {"seed": c["seed"], "values": c["values"], **r}
                for c, r in contest.trained(found)
                if "failed" in r and (c["method"], c["data"], c["nodes"]) == (method, data, nodes)
            ],
        }
        for data, nodes in places
        for method in METHODS
    ]
    values: dict[str, Any] = plain(
        {
            "cells": [cell for cell in cells if cell["trainings"] or cell["failed"]],
            "comparisons": [asdict(one) for one in comparisons],
        }
    )
    return values


PART = Part(
    name=NAME,
    about="error of seven methods on four datasets, 80 to 3,000 nodes",
    stages=(searches, contest.training_cells),
    run=run,
    outcome=outcome,
)
