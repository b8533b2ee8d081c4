"""Section 5.5 of the sculpting paper from a ledger: how modules divide two images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nervure.reproduce.ledger import Cell
from nervure.reproduce.sculpting import PAPER_TWO_DIGITS
from nervure.reproduce.sculpting_trials import Found


@dataclass(frozen=True)
class ImageTrial:
    """One network on two images.

    Attributes
    ----------
    part : {"two-digits", "hierarchical"}
    depth, width, seed : int
    threshold, dense, sculpted : float
        Share of right bits that was asked for, of the dense and of the pruned network on validation
        rows.
    test : float or None
        Of the pruned network on test rows.
    live_edges, live_units, modules : int or None
        None where the dense network was not good enough, or nothing is left.
    separate, inputs, outputs, middle : bool
        As `nervure.reproduce.sculpting_images.sides` has them.
    crossing : float or None
        Of the connected pairs of a pixel and an output the share that should not be.
    """

    part: str
    depth: int
    width: int
    seed: int
    threshold: float
    dense: float
    sculpted: float
    test: float | None
    live_edges: int | None
    live_units: int | None
    modules: int | None
    separate: bool
    inputs: bool
    outputs: bool
    middle: bool
    crossing: float | None


@dataclass(frozen=True)
class ImageSuccess:
    """Shares of the trials with so many hidden layers (figure 13b).

    Attributes
    ----------
    part : {"two-digits", "hierarchical"}
    depth, trials : int
    separate, inputs, outputs, middle : float
    paper : float or None
        Share of separate ones over all depths.
    """

    part: str
    depth: int
    trials: int
    separate: float
    inputs: float
    outputs: float
    middle: float
    paper: float | None


def image_trials(found: Found) -> list[ImageTrial]:
    """List the trials on images."""
    return [_trial(cell, result) for cell, result in found if "task" not in cell]


def image_successes(lines: Sequence[ImageTrial]) -> list[ImageSuccess]:
    """Sum up widths and seeds by task and hidden layers."""
    out = []
    for part, depth in dict.fromkeys((line.part, line.depth) for line in lines):
        group = [line for line in lines if (line.part, line.depth) == (part, depth)]
        separate, inputs, outputs, middle = (
            sum(getattr(line, name) for line in group) / len(group)
            for name in ("separate", "inputs", "outputs", "middle")
        )
        right, tried = PAPER_TWO_DIGITS
        paper = right / tried if part == "two-digits" else None
        out.append(ImageSuccess(part, depth, len(group), separate, inputs, outputs, middle, paper))
    return out


def _trial(cell: Cell, result: Mapping[str, Any]) -> ImageTrial:
    modules = result.get("modules")
    return ImageTrial(
        cell["part"], cell["depth"], cell["width"], cell["seed"], result["threshold"],
        result["dense_merit"], result["merit"], result.get("test_merit"),
        result.get("live_edges"), result.get("live_nodes"),
        None if modules is None else len(modules),
        separate=bool(result.get("separate")),
        inputs=bool(result.get("inputs")),
        outputs=bool(result.get("outputs")),
        middle=bool(result.get("middle")),
        crossing=result.get("crossing"),
    )  # fmt: skip
