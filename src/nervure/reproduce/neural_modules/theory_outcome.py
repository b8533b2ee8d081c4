"""What Theorem 3.3 and Appendix A come to: tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from nervure.reproduce.neural_modules.part import (
    Configuration,
    Found,
    Outcome,
    TextTable,
    spread,
)
from nervure.reproduce.neural_modules.premise import fitted_slope
from nervure.reproduce.neural_modules.special_cases import KINDS
from nervure.reproduce.neural_modules.theory_figures import coefficient_matrices, premise_curves
from nervure.reproduce.plain import plain
from nervure.topology import Topology

TRAINING, WIRING, EXACT = "training", "wiring", "exact"
PENALTIES = ("repulsion", "l2", "none")
NAMES = {"repulsion": "NM regularisation", "l2": "L2", "none": "no penalty"}
# Units in the last place of float64 that a few sums may be off.
_EXACT = 1e-12
_PREDICTED = -0.5

_Trainings = Mapping[str, Sequence[Mapping[str, Any]]]


def outcome(_: Configuration, found: Found) -> Outcome:
    """Sum up the cells that have been run."""
    trainings = {
        penalty: [r for c, r in found if c["kind"] == TRAINING and c["penalty"] == penalty]
        for penalty in PENALTIES
    }
    trainings = {penalty: results for penalty, results in trainings.items() if results}
    exact = {
        kind: [r for c, r in found if c["kind"] == EXACT and c["network"] == kind] for kind in KINDS
    }
    exact = {kind: results for kind, results in exact.items() if results}
    tables: list[TextTable] = []
    sentences: list[str] = []
    figures: dict[str, Figure] = {}
    if trainings:
        tables += [_premise_table(trainings), _gradient_table(trainings)]
        sentences += [*_about_premise(trainings), *_about_gradient(trainings)]
        points = {NAMES[p]: [r["points"] for r in rs] for p, rs in trainings.items()}
        figures["theorem-3-3"] = premise_curves(points)
    if exact:
        tables.append(_exact_table(exact))
        sentences.append(_about_exactness(exact))
    learned = [Topology.from_edges(r["edges"], r["nodes"]) for c, r in found if c["kind"] == WIRING]
    if learned:
        figures["figures-5-6-7"] = coefficient_matrices(learned[0])
    values = {
        "trainings": [
            {"penalty": penalty, **result, "slope": fitted_slope(result["points"], "gradient")}
            for penalty, results in trainings.items()
            for result in results
        ],
        "exact": [{"network": k, **r} for k, results in exact.items() for r in results],
    }
    return Outcome(tables, sentences, figures, plain(values))


def _ends(result: Mapping[str, Any], key: str) -> tuple[float, float]:
    return result["points"][0][key], result["points"][-1][key]


def _shrunk(result: Mapping[str, Any]) -> float:
    """Distance at the end in units of that at the start."""
    first, last = _ends(result, "distance")
    return last / first


def _premise_table(trainings: _Trainings) -> TextTable:
    rows = []
    for penalty, results in trainings.items():
        ends = [_ends(r, "distance") for r in results]
        share = [100 * r["points"][-1]["distance"] / r["points"][-1]["norm"] for r in results]
        rows.append(
            [
                NAMES[penalty],
                f"{len(results)}",
                spread([first for first, _ in ends]),
                spread([last for _, last in ends]),
                spread([r["largest"] for r in results], 3),
                spread([100 * r["holding"] for r in results], 1),
                spread(share, 1),
            ]
        )
    columns = (
        "penalty", "seeds", "|w - w~|^2 at the start", "at the end", "largest / start",
        "steps below start, %", "of |w|^2 at the end, %",
    )  # fmt: skip
    return TextTable("Eq. 23: dense against thresholded weights", columns, rows)


def _about_premise(trainings: _Trainings) -> list[str]:
    sentences = []
    for penalty, results in trainings.items():
        ratio = fmean([_shrunk(r) for r in results])
        holding = min(r["holding"] for r in results)
        where = f"{100 * holding:.1f} % of the worst seed's steps"
        last = max(r["last_above"] for r in results)
        if holding == 1:
            verdict = "holds at every step of every seed"
        elif all(_shrunk(r) < 1 for r in results):
            verdict = f"holds at {where}, of every seed after step {last}"
        else:
            verdict = f"does not hold: only at {where}"
        sentences.append(
            f"{NAMES[penalty]}: eq. 23 {verdict}; |w - w~|^2 ends at {ratio:.3g} times its start."
        )
    return sentences


def _gradient_table(trainings: _Trainings) -> TextTable:
    rows = [
        [
            NAMES[penalty],
            spread([_ends(r, "gradient")[0] for r in results], 4),
            spread([_ends(r, "gradient")[1] for r in results], 6),
            spread(_slopes(results, "gradient")),
            spread(_slopes(results, "batch_gradient_mean")),
        ]
        for penalty, results in trainings.items()
    ]
    columns = ("penalty", "|grad u|^2 at the start", "at the end", "slope", "slope of batch mean")
    return TextTable("Eq. 14: gradient of the kept edges over iterations", columns, rows)


def _slopes(results: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    found = [fitted_slope(r["points"], key) for r in results]
    return [slope for slope in found if slope == slope]


def _about_gradient(trainings: _Trainings) -> list[str]:
    sentences = []
    for penalty, results in trainings.items():
        slopes = _slopes(results, "batch_gradient_mean")
        if not slopes:
            continue
        slope, single = fmean(slopes), _slopes(results, "gradient")
        if slope <= _PREDICTED:
            verdict = "falls at least as fast as the bound's first term"
        elif slope < 0:
            verdict = "falls more slowly than the bound's first term, which its constant allows"
        else:
            verdict = "does not fall"
        rows = ""
        if single:
            rows = f"; that of the training rows at iteration t as t^{fmean(single):.2f}"
        sentences.append(
            f"{NAMES[penalty]}: the mean of |grad u|^2 over batches so far goes as "
            f"T^{slope:.2f} ({verdict}, T^{_PREDICTED}){rows}."
        )
    return sentences


def _exact_table(exact: _Trainings) -> TextTable:
    rows = [
        [
            kind,
            f"{results[0]['nodes']}",
            f"{results[0]['edges']}",
            f"{max(r['output_difference'] for r in results):.1e}",
            f"{max(r['gradient_difference'] for r in results):.1e}",
            f"{max(r['sweeps'] for r in results)}",
        ]
        for kind, results in exact.items()
    ]
    columns = ("network", "nodes", "edges", "outputs", "gradients", "sweeps")
    return TextTable(
        "Appendix A: largest relative difference of graph and layers, float64", columns, rows
    )


def _about_exactness(exact: _Trainings) -> str:
    worst = max(
        r[key]
        for results in exact.values()
        for r in results
        for key in ("output_difference", "gradient_difference")
    )
    verdict = "special cases, solved" if worst < _EXACT else "not solved"
    return (
        f"{' and '.join(exact).capitalize()} networks are {verdict} exactly: outputs and gradients "
        f"differ from torch's by at most {worst:.1e}, relatively."
    )
