"""What the paper says about Figure 9, each statement against what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nervure.reproduce.neural_modules.figure_9_grid import (
    BALANCED,
    SEVERAL,
    Bools,
    Floats,
    Grid,
    first_degree,
    good_settings,
    joint_settings,
    solved_up_to,
)
from nervure.reproduce.neural_modules.part import TextTable

WEAK, STRONG = 1e-3, 3e-2  # alpha at most, at least; the paper's own is 1e-3
FEW, MANY = 1.0, 4.0  # k / nodes at most, at least
ROBUST = 0.1  # spread over alpha, by the error
LEAST_PAIRS = 4  # fewer have no standard error worth the name


@dataclass(frozen=True)
class Contrast:
    """A difference between two groups of settings, paired.

    Attributes
    ----------
    mean, error : float
        Of the differences, with the standard error; nan where they cannot be said. Pairs of a seed
        have a split in common, so that the error is rather too small.
    pairs : int
    """

    mean: float
    error: float
    pairs: int

    @property
    def sign(self) -> int:
        """-1 or 1 where the mean is beyond twice its standard error, else 0."""
        return int(np.sign(self.mean)) if abs(self.mean) > 2 * self.error else 0

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "-"
        return f"{100 * self.mean:+.2f} ± {100 * self.error:.2f} ({self.pairs})"


def contrast_of_strength(grid: Grid, key: str = "validation_error") -> Contrast:
    """Compare strong with weak penalties, paired by degree and seed."""
    alphas, each = np.array(grid.alphas), grid.each(key)
    return _contrast(each, alphas >= STRONG, alphas <= WEAK)


def contrast_of_edges(grid: Grid, key: str = "validation_error") -> Contrast:
    """Compare many with few edges under strong penalties, paired by alpha and seed."""
    degrees, strong = np.array(grid.degrees), np.array(grid.alphas) >= STRONG
    each = grid.each(key)[strong].transpose(1, 0, 2)
    return _contrast(each, degrees >= MANY, degrees <= FEW)


def _contrast(each: Floats, first: Bools, second: Bools) -> Contrast:
    if not (first.any() and second.any()):
        return Contrast(math.nan, math.nan, 0)
    pairs = (each[first].mean(axis=0) - each[second].mean(axis=0)).reshape(-1)
    pairs = pairs[np.isfinite(pairs)]
    if len(pairs) < LEAST_PAIRS:
        return Contrast(math.nan, math.nan, len(pairs))
    return Contrast(float(pairs.mean()), float(pairs.std(ddof=1) / len(pairs) ** 0.5), len(pairs))


def spread_over_alpha(grid: Grid) -> float:
    """Give how far validation errors of a degree lie apart over alpha, by the lowest; a mean."""
    error = grid.mean("validation_error")
    low, high = error.min(axis=0), error.max(axis=0)
    known = low > 0
    apart = (high[known] - low[known]) / low[known]
    return float(apart.mean()) if len(apart) else math.nan


def contrast_table(drawn: Sequence[Grid]) -> TextTable:
    """Give the differences that the paper's statements are about."""
    return TextTable(
        "Figure 9: differences in error, points ± standard error (pairs)",
        ("data", f"alpha >= {STRONG:g} less <= {WEAK:g}, validation", "the same, test",
         f"k / nodes >= {MANY:g} less <= {FEW:g} at alpha >= {STRONG:g}, validation",
         "the same, test", "spread over alpha, by the error"),
        [
            [
                grid.data,
                *(str(contrast_of_strength(grid, f"{rows}_error")) for rows in _ROWS),
                *(str(contrast_of_edges(grid, f"{rows}_error")) for rows in _ROWS),
                "-" if math.isnan(apart := spread_over_alpha(grid)) else f"{apart:.1%}",
            ]
            for grid in drawn
        ],
    )  # fmt: skip


def sentences(drawn: Sequence[Grid]) -> list[str]:
    """Say where modules are balanced, where that ends, and which statements hold."""
    return [
        *(_unsolved(grid) for grid in drawn if grid.failures),
        *(_where_balanced(grid) for grid in drawn),
        *([_jointly(drawn)] if len(drawn) > 1 else []),
        *(_where_it_ends(grid) for grid in drawn),
        *(line for grid in drawn if (line := _statement(grid, drawn))),
    ]


def _unsolved(grid: Grid) -> str:
    named = "; ".join(f"alpha {a:g}, k / nodes {d:g}, seed {s}" for a, d, s in grid.failures)
    return f"{grid.data}: {len(grid.failures)} of {len(grid.found)} networks failed ({named})."


def _where_balanced(grid: Grid) -> str:
    what = f"{SEVERAL} modules or more, the largest of under {BALANCED:.0%} of the nodes"
    good = good_settings(grid)
    if good:
        alpha, degree = good[0]
        return (
            f"{grid.data}: {len(good)} of {grid.good.size} settings have {what}, at no loss; the "
            f"best of them is alpha {alpha:g}, k / nodes {degree:g}."
        )
    both = grid.several & grid.balanced
    why = (
        f"{int(both.sum())} have such modules, none of them within one standard error of the best"
        if both.any()
        else "none has such modules at any loss"
    )
    return f"{grid.data}: no setting has {what}, at no loss; {why}."


def _jointly(drawn: Sequence[Grid]) -> str:
    found = joint_settings(drawn)
    if not found:
        return "All datasets: no setting has several balanced modules at no loss on any of them."
    (alpha, degree), good = found[0]
    others = f" ({len(found) - 1} more do as well)" if len(found) > 1 else ""
    if len(good) == len(drawn):
        return (
            f"All {len(drawn)} datasets: alpha {alpha:g}, k / nodes {degree:g} has "
            f"several balanced modules at no loss{others}."
        )
    return (
        f"All {len(drawn)} datasets: no setting has several balanced modules at no loss on each; "
        f"alpha {alpha:g}, k / nodes {degree:g} has on {', '.join(good)}{others}."
    )


def _where_it_ends(grid: Grid) -> str:
    places = {alpha: _place(grid, i) for i, alpha in enumerate(grid.alphas)}
    words = []
    for place in dict.fromkeys(places.values()):
        alphas = [alpha for alpha, other in places.items() if other == place]
        named = ", ".join(f"{alpha:g}" for alpha in alphas if alpha)
        which = [*["without penalty"] * (0.0 in alphas), *[f"at alpha {named}"] * bool(named)]
        words.append(f"{' and '.join(which)} {place}")
    return (
        f"{grid.data}: k / nodes at which a module of {BALANCED:.0%} of the nodes or more forms: "
        f"{'; '.join(words)} (in a random digraph: above 1)."
    )


def _place(grid: Grid, alpha: int) -> str:
    start, solved = first_degree(grid, alpha), solved_up_to(grid, alpha)
    if start is not None:
        return f"from {start:g} on"
    if solved is None:
        return "not known, as no network was solved"
    return "none" if solved == max(grid.degrees) else f"none up to {solved:g}, then none was solved"


def _statement(grid: Grid, drawn: Sequence[Grid]) -> str:
    strength = contrast_of_strength(grid)
    if grid.data == "gas":
        return _about_strength(grid, strength, "benefits from stronger regularisation", -1)
    if grid.data == "activity":
        return _about_strength(grid, strength, "is better with weaker regularisation", 1)
    if grid.data == "codon":
        return _about_codon(grid, strength)
    return _about_facebook(grid, drawn) if grid.data == "facebook" else ""


def _about_strength(grid: Grid, found: Contrast, statement: str, sign: int) -> str:
    if not found.pairs or math.isnan(found.mean):
        return f"{grid.data} {statement}: cannot be said."
    return (
        f"{grid.data} {statement}: {_verdict(found.sign == sign)}; alpha >= {STRONG:g} changes the "
        f"validation error by {found} points against alpha <= {WEAK:g}, the test error by "
        f"{contrast_of_strength(grid, 'test_error')}."
    )


def _about_codon(grid: Grid, strength: Contrast) -> str:
    edges = contrast_of_edges(grid)
    if math.isnan(strength.mean) or math.isnan(edges.mean):
        return f"{grid.data} needs larger modules and stronger regularisation: cannot be said."
    share = grid.each("largest_share")[np.array(grid.alphas) >= STRONG]
    degrees = np.array(grid.degrees)
    many, few = (np.nanmean(share[:, mask]) for mask in (degrees >= MANY, degrees <= FEW))
    return (
        f"{grid.data} needs larger modules and stronger regularisation: "
        f"{_verdict(strength.sign == edges.sign == -1)}; alpha >= {STRONG:g} changes the "
        f"validation error by {strength} points against alpha <= {WEAK:g}, and at such alpha "
        f"k / nodes >= {MANY:g} (largest module {many:.0%} of the nodes) by {edges} against "
        f"<= {FEW:g} ({few:.0%})."
    )


def _about_facebook(grid: Grid, drawn: Sequence[Grid]) -> str:
    own = spread_over_alpha(grid)
    others = {other.data: spread_over_alpha(other) for other in drawn if other is not grid}
    others = {name: value for name, value in others.items() if not math.isnan(value)}
    if math.isnan(own):
        return f"{grid.data} is robust to the strength: cannot be said."
    holds = own < ROBUST and all(own < value for value in others.values())
    beside = ", ".join(f"{name} {value:.1%}" for name, value in others.items())
    return (
        f"{grid.data} is robust to the strength: {_verdict(holds)}; over alpha its validation "
        f"errors lie {own:.1%} of the error apart{f' ({beside})' if beside else ''}."
    )


def _verdict(holds: bool) -> str:
    return "holds" if holds else "does not hold"


_ROWS = ("validation", "test")
