"""What the first half of Figure 10 comes to: who has an edge into which module."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.figure import Figure

from nervure.report.style import FAINT, INK, NEGATIVE, POSITIVE, legend, title
from nervure.reproduce.neural_modules.part import (
    Configuration,
    Found,
    Outcome,
    TextTable,
)
from nervure.reproduce.panels import panel_grid

TRAINING, RANDOM = "training", "random graphs"
# Lower ends of the bins of module sizes.
_BINS = (2, 3, 4, 6, 9, 14, 20, 30, 45, 70, 100)
# Modules of up to so many nodes are called small.
_SMALL = 8
# Bins of fewer modules are in the table, but not drawn or compared.
_FEWEST = 20
# A ratio this near to one counts as one.
_NEAR = 0.1
_TICKS = (2, 5, 10, 20, 50, 100, 200)
_LOOKS = ((INK, "^"), (NEGATIVE, "s"), (POSITIVE, "o"))


@dataclass(frozen=True)
class Bin:
    """Modules of about one size, all graphs and seeds together.

    Attributes
    ----------
    low, high : int
        Smallest and largest size seen.
    modules, pairs, linked, linked_random : int
        As in `MergeCounts.lines`. Graphs of successive steps differ by few edges, so that counts
        are less certain than as many independent ones would be.
    expected : float
        Sum over pairs of 1 - theta^q.
    nodes : float
        Mean size, over pairs.
    """

    low: int
    high: int
    modules: int
    pairs: int
    linked: int
    linked_random: int
    expected: float
    nodes: float

    @property
    def ratio(self) -> float:
        """Measured over expected."""
        return self.linked / self.expected

    @property
    def span(self) -> str:
        """Smallest and largest size as they are printed."""
        return f"{self.low}-{self.high}" if self.low < self.high else f"{self.low}"


Bins = Mapping[int, Bin]


def binned(results: Sequence[tuple[float, Sequence[Mapping[str, int]]]]) -> dict[int, Bin]:
    """Put the counts of several trainings together.

    Parameters
    ----------
    results : sequence of (theta, lines of `MergeCounts`)

    Returns
    -------
    dict of int to Bin
        By number of the bin, rising; those with any pair.
    """
    members: dict[int, list[tuple[float, Mapping[str, int]]]] = defaultdict(list)
    for theta, lines in results:
        for line in lines:
            members[int(np.searchsorted(_BINS, line["nodes"], "right"))].append((theta, line))
    bins = {}
    for number, found in sorted(members.items()):
        sizes = [line["nodes"] for _, line in found]
        totals = {
            key: sum(line[key] for _, line in found)
            for key in ("modules", "pairs", "linked", "linked_random")
        }
        bins[number] = Bin(
            low=min(sizes),
            high=max(sizes),
            expected=sum(line["pairs"] * (1 - theta ** line["nodes"]) for theta, line in found),
            nodes=sum(line["pairs"] * line["nodes"] for _, line in found) / totals["pairs"],
            **totals,
        )
    return bins


def merging_outcome(_: Configuration, found: Found) -> Outcome:
    """Hold what was counted against 1 - theta^q."""
    trained = {
        alpha: binned(
            [(r["theta"], r["sizes"]) for c, r in found if c.get("alpha") == alpha],
        )
        for alpha in sorted({c["alpha"] for c, _ in found if c["kind"] == TRAINING})
    }
    random = binned([(r["theta"], r["sizes"]) for c, r in found if c["kind"] == RANDOM])
    curves = {
        f"alpha {alpha:g}" if alpha else "no regularisation": b for alpha, b in trained.items()
    }
    curves[RANDOM] = random
    curves = {name: bins for name, bins in curves.items() if bins}
    if not curves:
        return Outcome()
    cell = found[0][0]
    rows = [
        [
            name, b.span, f"{b.modules:,}", f"{b.expected / b.pairs:.4f}",
            f"{b.linked / b.pairs:.4f}", f"{b.ratio:.2f}", f"{b.linked_random / b.expected:.2f}",
        ]
        for name, bins in curves.items()
        for b in bins.values()
    ]  # fmt: skip
    table = TextTable(
        f"Figure 10a: nodes outside a module with a kept edge into it, {cell['nodes']} nodes, "
        f"{cell['keep']} edges",
        (
            "graphs", "nodes of the module", "modules", "1 - theta^q", "measured",
            "measured / formula", "random sets / formula",
        ),
        rows,
    )  # fmt: skip
    values = {
        "curves": [
            {"graphs": name, "bins": [{**asdict(b), "ratio": b.ratio} for b in bins.values()]}
            for name, bins in curves.items()
        ]
    }
    sentences = [*_about_formula(curves), *_about_balance(trained, random)]
    return Outcome([table], sentences, {"figure-10a": _figure(curves)}, values)


def _is_sure(one: Bin) -> bool:
    return one.modules >= _FEWEST


def _pooled(bins: Sequence[Bin], *, random_sets: bool = False) -> float:
    """Measured over expected of several bins; nan of none."""
    expected = sum(b.expected for b in bins)
    counted = sum(b.linked_random if random_sets else b.linked for b in bins)
    return counted / expected if expected else float("nan")


def _about_formula(curves: Mapping[str, Bins]) -> list[str]:
    sentences = []
    learned = [b for name, bins in curves.items() if name != RANDOM for b in bins.values()]
    if learned:
        control = _pooled(learned, random_sets=True)
        holds = "holds" if abs(control - 1) <= _NEAR else "does not hold"
        sentences.append(
            f"In learned graphs the independence behind 1 - theta^q {holds} for random sets of "
            f"nodes, into which an edge is kept {control:.2f} times as often as it says."
        )
    for name, bins in curves.items():
        sure = [b for b in bins.values() if _is_sure(b)]
        small = _pooled([b for b in sure if b.high <= _SMALL])
        large = _pooled([b for b in sure if b.low > _SMALL])
        told = [
            f"{ratio:.2f} for {size}"
            for ratio, size in ((small, f"modules of up to {_SMALL} nodes"), (large, "larger ones"))
            if ratio == ratio
        ]
        if told:
            sentences.append(f"Measured / formula, {name}: {', '.join(told)}.")
    if RANDOM in curves:
        sentences.append(
            "What random graphs fall short of the formula is no matter of learning: a node with an "
            "edge into a module and a path back from it is not outside."
        )
    return sentences


def _about_balance(trained: Mapping[float, Bins], random: Bins) -> list[str]:
    """Say whether the penalty lets small modules grow and holds large ones back."""
    if not trained or max(trained) == 0:
        return []
    strongest = trained[max(trained)]
    references = (("no regularisation", trained.get(0.0, {})), (RANDOM, random))
    return [_against(strongest, name, bins) for name, bins in references if bins]


def _against(strongest: Bins, name: str, reference: Bins) -> str:
    """Compare the smallest and the largest modules that both have often."""
    claim = (
        "The paper has NM regularisation raise the probability for small modules and lower it for "
        f"large ones. Against {name}:"
    )
    gains = {
        b.span: b.ratio / reference[number].ratio
        for number, b in strongest.items()
        if number in reference
        and _is_sure(b)
        and _is_sure(reference[number])
        and reference[number].linked
    }
    if len(gains) < 2:
        return f"{claim} not decided, since too few sizes occur in both."
    (small, first), *_, (large, last) = gains.items()
    verdict = "found" if first > 1 > last else "not found"
    return f"{claim} {verdict}, {first:.2f} times at {small} nodes and {last:.2f} times at {large}."


def _figure(curves: Mapping[str, Bins]) -> Figure:
    figure, (left, right) = panel_grid(2, 2)
    looks = iter(_LOOKS)
    every: list[Bin] = []
    for name, bins in curves.items():
        colour, marker = (FAINT, "x") if name == RANDOM else next(looks)
        shown = [b for b in bins.values() if _is_sure(b)]
        x, look = [b.nodes for b in shown], f"{marker}-"
        left.plot(x, [b.linked / b.pairs for b in shown], look, color=colour, label=name)
        right.plot(x, [b.ratio for b in shown], look, color=colour)
        every += shown
    every.sort(key=lambda b: b.nodes)
    nodes = [b.nodes for b in every]
    left.plot(nodes, [b.expected / b.pairs for b in every], "--", color=FAINT, label="1 - theta^q")
    right.axhline(1, color=FAINT, ls="--", label="1 - theta^q")
    right.plot(
        nodes, [b.linked_random / b.expected for b in every], ".", color=FAINT,
        label="random sets of as many nodes",
    )  # fmt: skip
    title(left, "an edge into the module is kept")
    left.set_ylabel("share of the nodes outside")
    title(right, "measured / (1 - theta^q)")
    for ax in (left, right):
        ax.set_xlabel("nodes of the module, q")
        ax.set_xscale("log")
        ax.set_xticks(_TICKS, [str(tick) for tick in _TICKS])
        ax.minorticks_off()
        if nodes:
            ax.set_xlim(0.9 * nodes[0], 1.1 * nodes[-1])
        ax.set_ylim(bottom=0)
        legend(ax)
    return figure
