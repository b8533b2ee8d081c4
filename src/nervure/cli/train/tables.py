"""Rows that the tables of several methods share: name, this network, the one beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = tuple[str, str, str]


def merit_row(summary: Mapping[str, Any]) -> Row:
    """Give the row of the test error."""
    classification = "test_error" in summary
    merit = "test_error" if classification else "test_rmse"

    def figure(key: str) -> str:
        value = summary.get(key)
        if value is None:
            return "-"
        return f"{100 * value:.2f} %" if classification else f"{value:.4g}"

    name = "error" if classification else "RMSE"
    return f"{name} on the held-out test set", figure(merit), figure(f"baseline_{merit}")


def edges_row(summary: Mapping[str, Any]) -> Row:
    """Give the row of the edges kept."""
    edges, possible = summary["edges"], summary["edges_possible"]
    share = f" ({100 * edges / possible:.1f} %)" if possible else ""
    return "edges kept of possible", f"{edges:,} of {possible:,}{share}", "none between neurons"


def time_row(summary: Mapping[str, Any]) -> Row:
    """Give the row of the training times."""
    plain = f"{summary['baseline_seconds']:.1f} s" if "baseline_seconds" in summary else "-"
    return "training time", f"{summary['seconds']:.1f} s", plain
