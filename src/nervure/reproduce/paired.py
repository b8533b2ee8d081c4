"""What several seeds come to, and differences seed by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

# Below this share of their mean, differences vary by rounding alone, and a t-test says nothing.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Difference:
    """Paired differences of two methods.

    Attributes
    ----------
    mean, spread : float
        Spread is the sample standard deviation, 0 for a single pair; both nan for none.
    pairs : int
    p_value : float
        Of the two-sided paired t-test; nan where it says nothing.
    """

    mean: float
    spread: float
    pairs: int
    p_value: float


def paired(one: Sequence[float], other: Sequence[float]) -> Difference:
    """Compare pair by pair, one minus the other; pairs with a nan are left out."""
    differences = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    differences = differences[np.isfinite(differences)]
    mean, spread = mean_and_spread(differences.tolist())
    p = math.nan
    if len(differences) > 1 and spread > _ROUNDING * abs(mean):
        p = float(stats.ttest_1samp(differences, 0).pvalue)
    return Difference(mean, spread, len(differences), p)


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Give mean and sample standard deviation; 0 for a single value, nan for none."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return math.nan, math.nan
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
