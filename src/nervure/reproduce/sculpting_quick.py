"""The sculpting paper's experiments in ten minutes: fewer cells, steps and images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nervure.reproduce.ledger import Cell
from nervure.reproduce.sculpting import ImageSettings, Settings, recipe_of, uses_of

PARTS = ("structure", "validation", "reuse", "levels", "two-digits")
SETTINGS = Settings(
    seeds=2, unit_steps=(0.1, 0.25, 0.4, 0.55, 0.7), edge_steps=(0.005, 0.015, 0.025)
)
# So few images cannot be learned to the paper's 99 % of bits: less is asked for.
IMAGES = ImageSettings(
    width=32, depths=(2,), seeds=1, train=3000, validation=1000, test=1000, epochs=2, batch_size=64,
    learning_rate=3e-3, unit_step=0.3, edge_step=0.05, threshold=0.94,
)  # fmt: skip

# Of each part those values of these keys; a part or key not named has all.
_KEPT: dict[str, dict[str, Sequence[Any]]] = {
    "reuse": {"uses": (2, 8)},
    "overlap": {"uses": (2, 8), "depth": (2,)},
    "levels": {"uses": (8,), "depth": (2, 4)},
    "rates": {"batch_size": (4, 16), "learning_rate": (0.01, 0.1)},
}
_WIDTHS = 2


def chosen(cells: Sequence[Cell], *, widths: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Choose the cells of the quick form: the narrowest networks, and few tasks.

    Parameters
    ----------
    cells : sequence of mapping
        Of `nervure.reproduce.sculpting.cells`.
    widths : sequence of int, optional
        Those that were asked for, which are all kept.

    Returns
    -------
    list of dict
    """
    return [dict(cell) for cell in cells if _kept(cell, widths)]


def _kept(cell: Cell, widths: Sequence[int] | None) -> bool:
    if "task" not in cell:
        return True
    values = {**cell, "uses": uses_of(cell["task"])}
    narrow = widths or recipe_of(cell["task"]).widths[:_WIDTHS]
    # Tables 2 and 3 are of one width.
    return (cell["part"] == "rates" or cell["width"] in narrow) and all(
        values[key] in kept for key, kept in _KEPT.get(cell["part"], {}).items()
    )
