"""Tables and JSON of Figure 9."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nervure.reproduce.neural_modules.figure_9_grid import (
    BALANCED,
    SEVERAL,
    Floats,
    Grid,
    first_degree,
    good_settings,
    joint_settings,
    solved_up_to,
)
from nervure.reproduce.neural_modules.part import TextTable, spread

MEASURED = (
    "validation_error", "test_error", "modules", "largest_module", "largest_share", "balance",
    "covered", "wired_nodes", "wired_degree", "sweeps",
)  # fmt: skip


def best_table(drawn: Sequence[Grid]) -> TextTable:
    """Give the setting with the lowest validation error of each dataset, and its test error."""
    rows = []
    for grid in drawn:
        if grid.best is None:
            rows.append([grid.data, *["-"] * 9, f"{len(grid.failures)}"])
            continue
        of_best = {
            key: [float(v) for v in grid.each(key)[grid.best] if np.isfinite(v)] for key in MEASURED
        }
        rows.append(
            [
                grid.data,
                f"{grid.alphas[grid.best[0]]:g}",
                f"{grid.degrees[grid.best[1]]:g}",
                spread(of_best["validation_error"], scale=100),
                f"{100 * grid.standard_error:.2f}",
                spread(of_best["test_error"], scale=100),
                spread(of_best["modules"], 1),
                spread(of_best["largest_share"], 1, 100),
                spread(of_best["sweeps"], 1),
                f"{int(grid.near_best.sum())}",
                f"{len(grid.failures)}",
            ]
        )
    return TextTable(
        "Figure 9: lowest validation error",
        ("data", "alpha", "k / nodes", "validation error %", "standard error", "test error %",
         "modules", "largest (% of nodes)", "sweeps", "settings within one", "not solved"),
        rows,
    )  # fmt: skip


def settings_table(drawn: Sequence[Grid]) -> TextTable:
    """Count the settings that fulfil each condition, and name those that fulfil all."""
    rows = []
    for grid in drawn:
        good = good_settings(grid)
        counts = (grid.several, grid.balanced, grid.several & grid.balanced, grid.near_best)
        named = "; ".join(f"alpha {a:g}, k / nodes {d:g}" for a, d in good)
        counted = [f"{int(mask.sum())}" for mask in counts]
        rows.append([grid.data, *counted, f"{len(good)}", named or "none"])
    return TextTable(
        f"Figure 9: settings with {SEVERAL} modules or more, the largest of under "
        f"{BALANCED:.0%} of the nodes, in every seed",
        ("data", "several", "balanced", "both", "within one standard error of the best", "all",
         "which"),
        rows,
    )  # fmt: skip


def percolation_table(drawn: Sequence[Grid]) -> TextTable:
    """Say for each alpha from which degree on the largest module is not small."""
    rows = []
    for grid in drawn:
        rows.append([grid.data, *[_start(grid, i) for i in range(len(grid.alphas))]])
    return TextTable(
        f"Figure 9: k / nodes from which on the largest module has {BALANCED:.0%} of the nodes or "
        f"more (-: not up to {max(drawn[0].degrees):g}; ?: not before networks failed)",
        ("data", *(f"alpha {alpha:g}" for alpha in drawn[0].alphas)),
        rows,
    )


def _start(grid: Grid, alpha: int) -> str:
    start = first_degree(grid, alpha)
    if start is not None:
        return f"{start:g}"
    return "-" if solved_up_to(grid, alpha) == max(grid.degrees) else "?"


def values(drawn: Sequence[Grid]) -> dict[str, Any]:
    """Give all means, choices and failures as JSON."""
    return {
        "several": SEVERAL,
        "balanced": BALANCED,
        "datasets": {
            grid.data: {
                "nodes": grid.nodes,
                "alphas": list(grid.alphas),
                "degrees": list(grid.degrees),
                "seeds": list(grid.seeds),
                "mean": {key: _json(grid.mean(key)) for key in MEASURED},
                "best": None
                if grid.best is None
                else [grid.alphas[grid.best[0]], grid.degrees[grid.best[1]]],
                "standard_error": None if grid.best is None else grid.standard_error,
                "good": [list(setting) for setting in good_settings(grid)],
                "failures": [list(failure) for failure in grid.failures],
                "first_degree_of_a_large_module": [
                    first_degree(grid, i) for i in range(len(grid.alphas))
                ],
            }
            for grid in drawn
        },
        "joint": [
            {"alpha": alpha, "degree": degree, "good_for": good}
            for (alpha, degree), good in joint_settings(drawn)
        ],
    }


def _json(table: Floats) -> list[list[float | None]]:
    return [[None if math.isnan(v) else v for v in row] for row in table.tolist()]
