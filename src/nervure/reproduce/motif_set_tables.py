"""The tables of the motif paper from a ledger: ours beside the paper's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nervure.reproduce.ledger import Cell
from nervure.reproduce.motif_set import DATASETS, HIDDEN, PAPER, VARIANTS, Published
from nervure.reproduce.paired import mean_and_spread
from nervure.training import comprehensive_score

Found = Sequence[tuple[Cell, Mapping[str, Any]]]
WEIGHT = 0.1
# The peers, in the order of their rows.
_DENSE, _MASKED, _LOGISTIC = "dense", "masked dense", "logistic regression"


@dataclass(frozen=True)
class Line:
    """One network on one dataset.

    Attributes
    ----------
    data, hidden, network : str
        `hidden` is empty for logistic regression.
    seeds : int
    accuracy : (float, float) or None
        Mean and standard deviation over seeds, 0 to 1, on the test part; None where only time was
        measured.
    epoch_seconds : float or None
        Mean over seeds of the median epoch.
    seconds : float or None
        Mean over seeds of all epochs.
    weights : int or None
        Without biases.
    saved : float or None
        Share of the time of "SET" that is saved.
    lost : float or None
        Share of the accuracy of "SET" that is lost.
    score : float or None
        The comprehensive score, 0.1 on time.
    paper : Published or None
    diverged : int
        Seeds whose loss was no longer finite; they are not in the figures.
    """

    data: str
    hidden: str
    network: str
    seeds: int
    accuracy: tuple[float, float] | None
    epoch_seconds: float | None
    seconds: float | None
    weights: int | None
    saved: float | None = None
    lost: float | None = None
    score: float | None = None
    paper: Published | None = None
    diverged: int = 0


def lines(found: Found) -> list[Line]:
    """Sum up the seeds of every network, dataset and structure there are results for."""
    out: list[Line] = []
    for data in DATASETS:
        for hidden in HIDDEN:
            sparse = [r for c, r in found if _is(c, "sparse", data, hidden)]
            dense = [r for c, r in found if _is(c, "dense", data, hidden)]
            out += _of_structure(data, hidden, sparse, dense)
        logistic = [r for c, r in found if c["part"] == "logistic" and c["data"] == data]
        if logistic:
            out.append(
                Line(data, "", _LOGISTIC, len(logistic), _accuracy(logistic), None,
                     _mean(logistic, "seconds"), None)
            )  # fmt: skip
    return out


def _is(cell: Cell, part: str, data: str, hidden: str) -> bool:
    return (cell["part"], cell["data"], cell.get("hidden")) == (part, data, hidden)


def _of_structure(
    data: str, hidden: str, sparse: Sequence[Mapping[str, Any]], dense: Sequence[Mapping[str, Any]]
) -> Iterator[Line]:
    base: tuple[float, float] | None = None
    for variant in VARIANTS if sparse else ():
        results = [r[variant.name] for r in sparse if "diverged" not in r[variant.name]]
        if not results:
            yield Line(data, hidden, variant.name, 0, None, None, None, None, diverged=len(sparse))
            continue
        accuracy = _accuracy(results)
        seconds = _mean(results, "seconds")
        base = base or (seconds, accuracy[0])
        published = PAPER.get(data, {}) if hidden == "3x3000" and variant.rule == "set" else {}
        yield Line(
            data, hidden, variant.name, len(results), accuracy, _mean(results, "epoch_seconds"),
            seconds, results[0]["weights"],
            saved=1 - seconds / base[0],
            lost=1 - accuracy[0] / base[1],
            score=comprehensive_score(seconds, accuracy[0], *base, weight=WEIGHT),
            paper=None if variant.tied else published.get(variant.motif_size),
            diverged=len(sparse) - len(results),
        )  # fmt: skip
    lost = sum("diverged" in result for result in dense)
    dense = [result for result in dense if "diverged" not in result]
    if sparse or dense:
        # Timed beside the sparse ones, where they ran; by its own training else.
        timed = [result["dense"] for result in sparse] or dense
        yield Line(
            data, hidden, _DENSE, max(len(sparse), len(dense)),
            _accuracy(dense) if dense else None, _mean(timed, "epoch_seconds"), None, None,
            diverged=lost,
        )  # fmt: skip
    if sparse:
        masked = [result["masked"] for result in sparse]
        yield Line(
            data, hidden, _MASKED, len(masked), None, _mean(masked, "epoch_seconds"), None, None
        )


def score_curves(chosen: Sequence[Line], weights: Sequence[float]) -> dict[str, list[float]]:
    """Give the comprehensive score of each network over the weight of time (figures 8 and 9).

    Parameters
    ----------
    chosen : sequence of Line
        Of one dataset and structure; "SET" is the base.
    weights : sequence of float

    Returns
    -------
    dict of str to list of float
        By network, those of which time and accuracy are known.
    """
    base = next((line for line in chosen if line.network == VARIANTS[0].name), None)
    if base is None or base.seconds is None or base.accuracy is None:
        return {}
    return {
        line.network: [
            comprehensive_score(line.seconds, line.accuracy[0], base.seconds, base.accuracy[0],
                                weight=weight)
            for weight in weights
        ]
        for line in chosen
        if line.seconds is not None and line.accuracy is not None
    }  # fmt: skip


def paper_curves(data: str, weights: Sequence[float]) -> dict[str, list[float]]:
    """Give the same of the paper's own figures, by motif size."""
    published = PAPER.get(data, {})
    if not published:
        return {}
    base = published[1]
    return {
        f"motif {size}" if size > 1 else "SET": [
            comprehensive_score(p.seconds, p.accuracy, base.seconds, base.accuracy, weight=weight)
            for weight in weights
        ]
        for size, p in published.items()
    }


def _mean(results: Sequence[Mapping[str, Any]], key: str) -> float:
    return float(np.mean([result[key] for result in results]))


def _accuracy(results: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    return mean_and_spread([result["test_accuracy"] for result in results])
