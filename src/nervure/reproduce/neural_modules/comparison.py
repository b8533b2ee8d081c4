"""Two methods compared seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from nervure.reproduce.paired import Difference, paired


@dataclass(frozen=True)
class Comparison:
    """One method minus another, over what both were run on.

    Attributes
    ----------
    one, other : str
    difference : Difference
        Of errors, dataset by dataset and seed by seed.
    wins : int
        Pairs in which the first has the lower error.
    """

    one: str
    other: str
    difference: Difference
    wins: int

    def sentence(self, labels: Mapping[str, str]) -> str:
        """Write it in words, in points (per cent of rows)."""
        names, found = f"{labels[self.one]} - {labels[self.other]}", self.difference
        if not found.pairs:
            return f"{names}: nothing to compare"
        if found.pairs == 1:
            return f"{names} = {100 * found.mean:+.2f} points (one pair)"
        p = "" if math.isnan(found.p_value) else f", p = {found.p_value:.2g} (paired t-test)"
        return (
            f"{names} = {100 * found.mean:+.2f} ± {100 * found.spread:.2f} points over "
            f"{found.pairs} pairs, lower in {self.wins}{p}"
        )


def compare(
    one: str, other: str, errors: Sequence[tuple[str, Mapping[int, float], Mapping[int, float]]]
) -> Comparison:
    """Compare errors dataset by dataset and seed by seed.

    Parameters
    ----------
    one, other : str
        Names of the methods.
    errors : sequence of (data, mapping, mapping)
        Dataset, and the error of each by seed, for every place (dataset and size).

    Returns
    -------
    Comparison

    Notes
    -----
    A pair is a dataset and a seed, its errors the means over the places where both have one.
    Networks of several sizes are trained on the same rows of a seed and tested on the same: taken
    for pairs of their own, they would make a test surer than it can be.
    """
    together: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for data, mine, theirs in errors:
        for seed in mine:
            if seed in theirs:
                together.setdefault((data, seed), []).append((mine[seed], theirs[seed]))
    pairs = [
        (fmean(one for one, _ in here), fmean(other for _, other in here))
        for here in together.values()
    ]
    found = paired([one for one, _ in pairs], [other for _, other in pairs])
    wins = sum(one < other for one, other in pairs)
    return Comparison(one, other, found, wins)
