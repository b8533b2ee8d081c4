"""All tables of connectivity-tradeoff that a ledger has results for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nervure.reproduce.paired import Difference, paired
from nervure.reproduce.plain import plain
from nervure.reproduce.tradeoff import Settings, accounting
from nervure.reproduce.tradeoff_paper import DYNAMICS, EPOCH_SECONDS
from nervure.reproduce.tradeoff_tables import (
    Accuracies,
    FirstEpoch,
    Found,
    Likeness,
    Row,
    accuracies,
    characteristic_rows,
    characteristics,
    epoch_seconds,
    first_epochs,
    likeness,
    row,
    wirings,
)

_PER_CENT = ("retained_once_below", "eliminated_risen")


@dataclass(frozen=True)
class Report:
    """What was measured, by table and figure; empty where nothing was run for it.

    Attributes
    ----------
    papers_parameters : mapping of str to int
        Of the complete DAG in the paper's setting, part by part.
    parameters : int
        Of the complete DAG that was trained, 0 if there is none.
    cut : int
        Networks of which the threshold left no path.
    characteristics : list of Row
        Tables 1 and 2.
    likeness : Likeness or None
        Figure 4; None for fewer than two graphs.
    accuracies : list of Accuracies
        Figures 2 and 5, and Table 5.
    times : list of Row
        Table 3.
    dynamics : list of Row
        Table 4.
    first_epochs : list of FirstEpoch
        Figures 6b and 7.
    """

    papers_parameters: Mapping[str, int]
    parameters: int
    cut: int
    characteristics: list[Row]
    likeness: Likeness | None
    accuracies: list[Accuracies]
    times: list[Row]
    dynamics: list[Row]
    first_epochs: list[FirstEpoch]

    def compared(self, one: str, other: str, *, data: str | None = None) -> Difference:
        """Compare two columns of `accuracies` of the complete DAG's networks, pair by pair."""
        lines = [
            line for line in self.accuracies if line.reach is None and data in (None, line.data)
        ]
        return paired(
            [float(getattr(line, one)) for line in lines],
            [float(getattr(line, other)) for line in lines],
        )


def report_of(found: Found) -> Report:
    """Sum up what a ledger holds."""
    learned = [
        (cell, result)
        for cell, result in found
        if cell["kind"] == "wiring" and cell["reach"] is None
    ]
    chosen = wirings(found)
    names = [cell["data"] for cell, _ in chosen]
    table = characteristics(found) if chosen else None
    dynamics = [dict(result["dynamics"]) for _, result in chosen]
    return Report(
        papers_parameters=accounting(Settings()),
        parameters=max((int(result["parameters"]) for _, result in learned), default=0),
        cut=sum(not result["edges"] for _, result in learned),
        characteristics=[] if table is None else characteristic_rows(found, table),
        likeness=likeness(found, table) if table is not None and len(chosen) > 1 else None,
        accuracies=accuracies(found),
        times=_times(found),
        dynamics=[
            row(name, names, _column(dynamics, name), paper)
            for name, paper in (DYNAMICS.items() if chosen else ())
        ],
        first_epochs=first_epochs(found),
    )


def to_json(report: Report) -> dict[str, Any]:
    """Give the tables as JSON values, not numbers as None."""
    alike = report.likeness
    return {
        "papers_parameters": dict(report.papers_parameters),
        "parameters": report.parameters,
        "cut": report.cut,
        "characteristics": [_row_to_json(one) for one in report.characteristics],
        "likeness": None
        if alike is None
        else plain(
            {
                "within": dict(alike.within),
                "between": dict(alike.between),
                "nearest": alike.nearest,
                "p_value": alike.p_value,
            }
        ),
        "accuracies": [plain(asdict(line)) for line in report.accuracies],
        "times": [_row_to_json(one) for one in report.times],
        "dynamics": [_row_to_json(one) for one in report.dynamics],
        "first_epochs": [
            plain({"data": one.data, "strongest": one.strongest, "weakest": one.weakest})
            for one in report.first_epochs
        ],
    }


def _times(found: Found) -> list[Row]:
    rows = []
    for which, paper in EPOCH_SECONDS.items():
        names, seconds = epoch_seconds(found, which)
        if names:
            rows.append(row(which, names, seconds, paper))
    return rows


def _column(dynamics: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    values = [one[name] for one in dynamics]
    scale = 100 if name in _PER_CENT else 1
    return np.array([np.nan if value is None else scale * value for value in values])


def _row_to_json(one: Row) -> dict[str, Any]:
    values: dict[str, Any] = plain(
        {
            "name": one.name,
            "ours": one.ours,
            "paper": one.paper,
            "rank_correlation": one.rank_correlation,
        }
    )
    return values
