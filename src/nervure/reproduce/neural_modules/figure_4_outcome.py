"""What Figure 4 comes to: tables, sentences and the figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from nervure.optional import find
from nervure.report.style import FAINT, INK, NEGATIVE, POSITIVE, legend, title
from nervure.reproduce.neural_modules.methods import INSTALL
from nervure.reproduce.neural_modules.part import (
    Configuration,
    Found,
    Outcome,
    TextTable,
    spread,
)
from nervure.reproduce.panels import panel_grid

TIME, PARALLEL = "time", "parallel"
DEQ = "DEQ"
# A chunk of the engine's is 32 samples: at one chunk threads can share nothing but the modules; at
# four they share samples first, as in a training.
BATCHES = ONE_CHUNK, FOUR_CHUNKS = (32, 128)
# Section 4.4: about 10 times faster on 12 threads.
_PAPER_SPEED_UP, _PAPER_THREADS = 10, 12


@dataclass(frozen=True)
class Method:
    """A line of the first panel.

    Attributes
    ----------
    name : str
        As the paper's Table 1 has it.
    penalty : {"repulsion", "l2", "none"} or None
        Of `Repulsion`; None for DEQ.
    edges_per_node : int
    """

    name: str
    penalty: Literal["repulsion", "l2", "none"] | None
    edges_per_node: int
    colour: str
    style: str


METHODS = (
    Method("NMs&NM", "repulsion", 2, POSITIVE, "o-"),
    Method("NMs&L2", "l2", 2, FAINT, "s--"),
    Method("NMs", "none", 2, INK, "^:"),
    Method("NMs&NM, 10 edges per node", "repulsion", 10, POSITIVE, "o:"),
    Method(DEQ, None, 0, NEGATIVE, "D-"),
)
_Seconds = dict[tuple[str, int], list[dict[str, Any]]]


def outcome(_: Configuration, found: Found) -> Outcome:
    """Sum up the cells that have been run."""
    epochs: _Seconds = defaultdict(list)
    for cell, result in found:
        if cell["kind"] == TIME:
            epochs[cell["method"], cell["nodes"]].append({**result, "seed": cell["seed"]})
    parallel = sorted(
        ({**cell, **result} for cell, result in found if cell["kind"] == PARALLEL),
        key=lambda line: (line["batch"], line["nodes"]),
    )
    tables, sentences = [], []
    if epochs:
        tables.append(_time_table(epochs))
        sentences += _about_time(epochs)
    if parallel:
        tables.append(_parallel_table(parallel))
        sentences += _about_threads(parallel)
    if find("torchdeq") is None:
        sentences.append(f"left out: DEQ (needs torchdeq: {INSTALL})")
    values = {
        "time": [
            {"method": method, "nodes": nodes, "results": results}
            for (method, nodes), results in epochs.items()
        ],
        "parallel": parallel,
    }
    figures = {"figure-4": _figure(epochs, parallel)} if epochs or parallel else {}
    return Outcome(tables, sentences, figures, values)


def _sizes(epochs: _Seconds) -> list[int]:
    return sorted({nodes for _, nodes in epochs})


def _of(epochs: _Seconds, method: str, nodes: int, key: str = "seconds") -> list[float]:
    return [r[key] for r in epochs.get((method, nodes), []) if key in r]


def _speed_ups(epochs: _Seconds, method: str, nodes: int) -> list[float]:
    """Give how many times an epoch of DEQ takes that of a method, seed by seed."""
    theirs = {r["seed"]: r["seconds"] for r in epochs.get((DEQ, nodes), []) if "seconds" in r}
    ours = {r["seed"]: r["seconds"] for r in epochs.get((method, nodes), []) if "seconds" in r}
    return [theirs[seed] / ours[seed] for seed in sorted(theirs.keys() & ours.keys())]


def _time_table(epochs: _Seconds) -> TextTable:
    rows = []
    for nodes in _sizes(epochs):
        for method in METHODS:
            results = epochs.get((method.name, nodes), [])
            failed = [r for r in results if "failure" in r]
            seconds = spread(_of(epochs, method.name, nodes), 3)
            rows.append(
                [
                    f"{nodes}",
                    method.name,
                    f"{seconds} ({len(failed)} failed)" if failed else seconds,
                    spread(_speed_ups(epochs, method.name, nodes)),
                    spread(_of(epochs, method.name, nodes, "sweeps"), 1),
                    spread(_of(epochs, method.name, nodes, "largest"), 0),
                ]
            )
    columns = ("nodes", "method", "seconds per epoch", "DEQ / method", "sweeps", "largest module")
    return TextTable("Figure 4a: a training epoch on codon", columns, rows)


def _about_time(epochs: _Seconds) -> list[str]:
    sentences = []
    for method in METHODS[:-1]:
        found = {n: _speed_ups(epochs, method.name, n) for n in _sizes(epochs)}
        gains = {n: fmean(values) for n, values in found.items() if values}
        if not gains:
            continue
        each = ", ".join(f"{gain:.2g} at {n} nodes" for n, gain in gains.items())
        gain = list(gains.values())
        if min(gain) <= 1:
            verdict = "is not at every size faster than DEQ"
        elif len(gain) == 1:
            verdict = "is faster than DEQ at the one size that both were timed at"
        elif all(less < more for less, more in pairwise(gain)):
            verdict = "is faster than DEQ, and the more so the more nodes, as the paper has it"
        else:
            verdict = "is faster than DEQ, but not more so with more nodes as in the paper"
        sentences.append(f"{method.name} {verdict}: times {each}.")
    return sentences


def _parallel_table(lines: Sequence[dict[str, Any]]) -> TextTable:
    rows = [
        [
            f"{line['nodes']}",
            f"{line['batch']}",
            f"{1e3 * line['one_thread']:.2f}",
            f"{1e3 * line['all_threads']:.2f}",
            f"{_gain(line):.2f}",
            f"{100 * _gain(line) / line['threads']:.0f} %",
        ]
        for line in lines
    ]
    threads, size = lines[0]["threads"], lines[0]["module"]
    columns = ("nodes", "batch", "1 thread, ms", f"{threads} threads, ms", "speed-up", "of ideal")
    return TextTable(f"Figure 4b: a step on complete modules of {size} nodes", columns, rows)


def _gain(line: dict[str, Any]) -> float:
    return float(line["one_thread"] / line["all_threads"])


def _about_threads(lines: Sequence[dict[str, Any]]) -> list[str]:
    sentences = []
    for batch in sorted({line["batch"] for line in lines}):
        chosen = [line for line in lines if line["batch"] == batch]
        gains = [_gain(line) for line in chosen]
        threads, cores = chosen[0]["threads"], chosen[0]["cores"]
        shared = "modules alone" if batch <= ONE_CHUNK else "samples first, then modules"
        sentences.append(
            f"At a batch of {batch}, where threads share {shared}, {threads} threads on {cores} "
            f"logical cores are {min(gains):.2f} to {max(gains):.2f} times as fast as one: "
            f"{100 * fmean(gains) / threads:.0f} % of the ideal on average. The paper's "
            f"{_PAPER_SPEED_UP} times on {_PAPER_THREADS} threads are "
            f"{100 * _PAPER_SPEED_UP / _PAPER_THREADS:.0f} %."
        )
    return sentences


def _figure(epochs: _Seconds, parallel: Sequence[dict[str, Any]]) -> Figure:
    figure, (left, right) = panel_grid(2, 2)
    for method in METHODS:
        points = [(n, _of(epochs, method.name, n)) for n in _sizes(epochs)]
        shown = [(n, fmean(seconds)) for n, seconds in points if seconds]
        if shown:
            x, y = zip(*shown, strict=True)
            left.plot(x, y, method.style, color=method.colour, label=method.name)
    title(left, "(a) a training epoch on codon")
    left.set_ylabel("seconds")
    # Filled markers where threads can only share modules.
    for batch, face in ((ONE_CHUNK, None), (FOUR_CHUNKS, "none")):
        lines = [line for line in parallel if line["batch"] == batch]
        for key, colour in (("one_thread", INK), ("all_threads", POSITIVE)):
            if lines:
                threads = 1 if key == "one_thread" else lines[0]["threads"]
                label = f"{threads} thread{'s' if threads > 1 else ''}, batch {batch}"
                right.plot(
                    [line["nodes"] for line in lines], [1e3 * line[key] for line in lines], "o-",
                    color=colour, mfc=face, label=label,
                )  # fmt: skip
    title(right, "(b) a step on independent modules")
    right.set_ylabel("milliseconds")
    for ax, sizes in ((left, _sizes(epochs)), (right, [line["nodes"] for line in parallel])):
        _logarithmic(ax, sorted(set(sizes)))
    return figure


def _logarithmic(ax: Axes, sizes: Sequence[int]) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.minorticks_off()
    ax.set_xlabel("nodes")
    if ax.lines:
        legend(ax)
