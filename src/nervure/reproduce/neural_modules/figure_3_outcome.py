"""What Figure 3 comes to: a table, sentences, and the figure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nervure.report.style import INK, NEGATIVE, title
from nervure.reproduce.neural_modules.part import (
    Configuration,
    Found,
    Outcome,
    TextTable,
    spread,
)
from nervure.reproduce.paired import Difference, paired
from nervure.reproduce.panels import legend_below, panel_grid
from nervure.reproduce.plain import plain

NAME = "figure-3"
DATA = ("cifar10", "20newsgroups")
MODELS = ("unchanged", "graph")

_WHAT = {
    "cifar10": "ResNet, CIFAR-10 (subset)",
    "20newsgroups": "Transformer, 20 Newsgroups",
}
_COLOURS = {"unchanged": NEGATIVE, "graph": INK}
# Below it a difference between paired seeds counts as one.
_LEVEL = 0.05
_SILENT = (
    "The paper's Figure 3 has no numbers that could be read off, and no sizes, seeds or schedule: "
    "only which of two models is ahead can be compared."
)
_HEAD = (
    "The ResNet without graph has a hidden layer of as many nodes before its last one, which a "
    "standard ResNet has not: the two models differ in the wiring of these nodes alone."
)
_SECONDS = "Seconds per epoch are those of steps and rewirings, with other cells beside."

Results = Mapping[int, Mapping[str, Any]]


def outcome(configuration: Configuration, found: Found) -> Outcome:
    """Put the cells together.

    Parameters
    ----------
    configuration : Configuration
    found : sequence of (cell, result)
        Some may be missing.

    Returns
    -------
    Outcome
        Accuracies and differences of the table in per cent; a figure where both models of some
        data have been run.
    """
    lines: list[tuple[str, ...]] = []
    sentences = []
    values: dict[str, Any] = {}
    for data in DATA:
        runs = {model: _by_seed(found, data, model) for model in MODELS}
        if not any(runs.values()):
            continue
        difference = _difference(runs)
        lines += [_line(data, model, runs[model]) for model in MODELS if runs[model]]
        if difference is not None:
            lines.append(_difference_line(data, difference))
            sentences.append(_sentence(data, difference))
        sentences += _failures(data, runs)
        values[data] = {
            **{model: [dict(r) for r in runs[model].values()] for model in MODELS},
            "difference": None if difference is None else vars(difference),
        }
    if not values:
        return Outcome()
    if configuration.quick:
        sentences.append("Quick form: few rows and epochs, whose accuracies mean little.")
    table = TextTable(
        "Figure 3: fully connected parts replaced by graphs",
        ("model", "seeds", "parameters", "without absent edges", "test accuracy %",
         "seconds per epoch", "modules", "largest"),
        lines,
    )  # fmt: skip
    figure = _figure(found, [data for data in DATA if data in values])
    if DATA[0] in values:
        sentences.append(_HEAD)
    return Outcome([table], [*sentences, _SILENT, _SECONDS], {NAME: figure}, plain(values))


def _by_seed(found: Found, data: str, model: str) -> Results:
    return {
        cell["seed"]: result
        for cell, result in found
        if (cell["data"], cell["model"]) == (data, model)
    }


def _converged(results: Results) -> list[Mapping[str, Any]]:
    return [result for result in results.values() if result["converged"]]


def _tested(results: Iterable[Mapping[str, Any]]) -> list[float]:
    """Give the test accuracies that there are, of those that converged."""
    found = (result["test_accuracy"] for result in results if result["converged"])
    return [accuracy for accuracy in found if accuracy is not None]


def _difference(runs: Mapping[str, Results]) -> Difference | None:
    """Compare the seeds that both models have, in points of per cent."""
    graph, unchanged = runs["graph"], runs["unchanged"]
    seeds = [
        seed
        for seed in sorted(graph.keys() & unchanged.keys())
        if _tested([graph[seed]]) and _tested([unchanged[seed]])
    ]
    if not seeds:
        return None
    ours, theirs = (
        [100 * results[seed]["test_accuracy"] for seed in seeds] for results in (graph, unchanged)
    )
    return paired(ours, theirs)


def _line(data: str, model: str, results: Results) -> tuple[str, ...]:
    good = _converged(results)
    first = next(iter(results.values()))
    sizes = [[size for own in result["module_sizes"] for size in own] for result in good]
    wired = model == "graph" and bool(good)
    return (
        f"{_WHAT[data]}: {model}",
        str(len(good)) if len(good) == len(results) else f"{len(good)} of {len(results)}",
        f"{first['parameters']:,}",
        f"{good[0]['parameters_kept']:,}" if good else "-",
        spread(_tested(good), 2, 100),
        spread([result["epoch_seconds"] for result in good], 1),
        ", ".join(str(len(own)) for own in sizes) if wired else "",
        ", ".join(str(max(own, default=0)) for own in sizes) if wired else "",
    )


def _difference_line(data: str, difference: Difference) -> tuple[str, ...]:
    p = "" if math.isnan(difference.p_value) else f", p = {difference.p_value:.2g}"
    apart = f"{difference.mean:+.2f} ± {difference.spread:.2f}{p}"
    return f"{_WHAT[data]}: graph - unchanged", str(difference.pairs), "", "", apart, "", "", ""


def _sentence(data: str, difference: Difference) -> str:
    if math.isnan(difference.p_value):
        verdict = "too few seeds for a test"
    elif difference.p_value >= _LEVEL:
        verdict = f"no difference is shown (paired t-test, p = {difference.p_value:.2g})"
    else:
        which = "better, as in the paper" if difference.mean > 0 else "worse, unlike in the paper"
        verdict = f"the graph is {which} (paired t-test, p = {difference.p_value:.2g})"
    seeds = "1 seed" if difference.pairs == 1 else f"{difference.pairs} seeds"
    return (
        f"{_WHAT[data]}: with the graph the test accuracy is {difference.mean:+.2f} ± "
        f"{difference.spread:.2f} points over {seeds}; {verdict}."
    )


def _failures(data: str, runs: Mapping[str, Results]) -> list[str]:
    found = []
    for model, results in runs.items():
        good = _converged(results)
        what = f"{_WHAT[data]}, {model}: "
        if lost := len(results) - len(good):
            found.append(
                f"{what}{lost} of {len(results)} trainings had a batch without equilibria or a "
                "loss that was no longer finite."
            )
        if lost := len(good) - len(_tested(good)):
            found.append(f"{what}{lost} of {len(good)} had a test row without equilibrium.")
    return found


def _figure(found: Found, datasets: Sequence[str]) -> Figure:
    figure, axes = panel_grid(2, 2)
    for ax, key, scale, label in (
        (axes[0], "test_accuracy", 100, "test accuracy (%)"),
        (axes[1], "epoch_seconds", 1, "seconds per epoch"),
    ):
        for place, data in enumerate(datasets):
            for side, model in zip((-0.15, 0.15), MODELS, strict=True):
                good = _converged(_by_seed(found, data, model))
                known = [scale * result[key] for result in good if result[key] is not None]
                _dots(ax, place + side, known, model)
        ax.set_xticks(range(len(datasets)), [_WHAT[data].replace(", ", ",\n") for data in datasets])
        ax.set_xlim(-0.5, len(datasets) - 0.5)
        ax.set_ylabel(label)
    axes[1].set_ylim(bottom=0)
    title(axes[0], "a dot per seed, a line at their mean")
    title(axes[1], "time of training")
    legend_below(figure, axes[0])
    return figure


def _dots(ax: Axes, place: float, values: Sequence[float], model: str) -> None:
    if not values:
        return
    colour = _COLOURS[model]
    named = model in ax.get_legend_handles_labels()[1]
    places = place + np.linspace(-0.04, 0.04, len(values)) if len(values) > 1 else [place]
    ax.hlines(float(np.mean(values)), place - 0.1, place + 0.1, color=colour, lw=2)
    ax.plot(places, values, "o", color=colour, ms=5, alpha=0.7, label=None if named else model)
