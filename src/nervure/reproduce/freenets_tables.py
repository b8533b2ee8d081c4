"""Table 2 of the FreeNets paper from a ledger: ours beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from nervure.reproduce.freenets import NEURONS, PAPER
from nervure.reproduce.ledger import Cell
from nervure.reproduce.paired import mean_and_spread

Found = Sequence[tuple[Cell, Mapping[str, Any]]]


@dataclass(frozen=True)
class Line:
    """One dataset and size.

    Attributes
    ----------
    data : str
    neurons, seeds : int
    freenet, matched : (float, float)
        Mean and standard deviation over seeds of the test accuracy, per cent.
    paper_freenet, paper_matched : float
    edges : float
        Mean share of the possible edges that the FreeNet has at the end.
    """

    data: str
    neurons: int
    seeds: int
    freenet: tuple[float, float]
    matched: tuple[float, float]
    paper_freenet: float
    paper_matched: float
    edges: float


@dataclass(frozen=True)
class PairedTest:
    """FreeNet minus matched network, over the pairs of one dataset with size and seed in common.

    Attributes
    ----------
    data : str
    pairs : int
    difference, spread : float
        Mean and standard deviation, percentage points of test accuracy.
    p_value : float
        Of the two-sided paired t-test; nan for fewer than two pairs.
    wins : int
        Pairs in which the FreeNet is better.
    """

    data: str
    pairs: int
    difference: float
    spread: float
    p_value: float
    wins: int


def lines(found: Found) -> list[Line]:
    """Sum up the seeds of every dataset and size that has both networks."""
    out = []
    for data, table in PAPER.items():
        for column, neurons in enumerate(NEURONS):
            ours = _accuracies(found, data, neurons)
            seeds = sorted(ours["freenet"].keys() & ours["matched"].keys())
            if not seeds:
                continue
            edges = [
                result["edges"] / max(1, result["possible"])
                for cell, result in found
                if (cell["data"], cell["neurons"]) == (data, neurons) and "edges" in result
            ]
            out.append(
                Line(
                    data,
                    neurons,
                    len(seeds),
                    mean_and_spread([ours["freenet"][s] for s in seeds]),
                    mean_and_spread([ours["matched"][s] for s in seeds]),
                    table["freenet"][column],
                    table["matched"][column],
                    float(np.mean(edges)),
                )
            )
    return out


def paired_tests(found: Found) -> list[PairedTest]:
    """Compare the two networks on every dataset, pair by pair."""
    out = []
    for data in PAPER:
        differences = []
        for neurons in NEURONS:
            ours = _accuracies(found, data, neurons)
            differences += [
                ours["freenet"][s] - ours["matched"][s]
                for s in sorted(ours["freenet"].keys() & ours["matched"].keys())
            ]
        if not differences:
            continue
        d = np.array(differences)
        p = float(stats.ttest_1samp(d, 0).pvalue) if len(d) > 1 and d.std() > 0 else float("nan")
        mean, spread = mean_and_spread(differences)
        out.append(PairedTest(data, len(d), mean, spread, p, int((d > 0).sum())))
    return out


def _accuracies(found: Found, data: str, neurons: int) -> dict[str, dict[int, float]]:
    out: dict[str, dict[int, float]] = {"freenet": {}, "matched": {}}
    for cell, result in found:
        if (cell["data"], cell["neurons"]) == (data, neurons):
            out[cell["network"]][cell["seed"]] = 100 * result["test_accuracy"]
    return out
