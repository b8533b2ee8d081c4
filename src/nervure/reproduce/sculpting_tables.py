"""Success rates of the sculpting paper from a ledger: figures 7, 8, 10, 12, tables 2 and 3."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from nervure.modules import Hierarchy
from nervure.reproduce.sculpting import BATCHES, PAPER_RATES, RATES, uses_of
from nervure.reproduce.sculpting_trials import Found, Trial, trials

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True)
class Success:
    """How often the modules of a network are the sub-functions of its task.

    Attributes
    ----------
    task : str
    depth, uses : int
        Hidden layers; how often each last sub-function is used.
    trials, not_learned : int
        Over widths and seeds; those whose dense networks did not learn the task are failures.
    exact, found, lowest : float
        Share of trials that show the sub-functions and nothing else, share that show them, and
        share that show those which read the inputs. The last is what section 5.1 asks for: these
        are the ones that are input-separable, reused or both.
    live_edges : float or None
        Median of the pruned networks.
    """

    task: str
    depth: int
    uses: int
    trials: int
    not_learned: int
    exact: float
    found: float
    lowest: float
    live_edges: float | None


@dataclass(frozen=True)
class OverlapSuccess:
    """Section 5.3: the three properties of two sub-functions that share inputs, shares of trials.

    Attributes
    ----------
    overlap, uses, trials : int
    inputs : float
        The inputs are divided into those of one, of the other, and those of both.
    outputs : float
        The outputs of the one are in a module, those of the other in another.
    hidden : float
        And all hidden units are in these two.
    """

    overlap: int
    uses: int
    trials: int
    inputs: float
    outputs: float
    hidden: float


@dataclass(frozen=True)
class LevelSuccess:
    """Figure 12a: which sub-functions are found by networks of so many hidden layers.

    Attributes
    ----------
    depth, trials : int
    separable, middle, outputs, merged : float or None
        Share of trials that show the two that read inputs, the one in the middle, the two that give
        outputs, and instead of the last three a single one; None where these are not expected.
    """

    depth: int
    trials: int
    separable: float | None
    middle: float | None
    outputs: float | None
    merged: float | None


@dataclass(frozen=True)
class RateLine:
    """A line of tables 2 and 3.

    Attributes
    ----------
    task : str
    depth, batch_size : int
    ours, paper : tuple of (float or None)
        Share of exact trials for each of `RATES`; None where not all dense networks learned it.
    run : tuple of bool
        For which of them there are trials of ours.
    """

    task: str
    depth: int
    batch_size: int
    ours: tuple[float | None, ...]
    paper: tuple[float | None, ...]
    run: tuple[bool, ...]


def successes(found: Found, part: str) -> list[Success]:
    """Sum up widths and seeds by task and hidden layers (figures 7, 8 and 12b)."""
    groups = _grouped(trials(found, part), lambda t: (str(t.cell["task"]), int(t.cell["depth"])))
    return [
        Success(
            task,
            depth,
            uses_of(task),
            len(group),
            sum(trial.told is None for trial in group),
            _share(trial.exact for trial in group),
            _share(trial.all_found for trial in group),
            _share(trial.lowest_found for trial in group),
            _median_edges(group),
        )
        for (task, depth), group in groups.items()
    ]


def overlap_successes(found: Found) -> list[OverlapSuccess]:
    """Sum up widths, depths and seeds by overlap and uses (figure 10)."""
    groups = _grouped(
        trials(found, "overlap"), lambda t: (overlap_of(t.cell["task"]), uses_of(t.cell["task"]))
    )
    lines = []
    for (overlap, uses), group in groups.items():
        shown = [properties(trial) for trial in group]
        inputs, outputs, hidden = (_share(column) for column in zip(*shown, strict=True))
        lines.append(OverlapSuccess(overlap, uses, len(group), inputs, outputs, hidden))
    return lines


def properties(trial: Trial) -> tuple[bool, bool, bool]:
    """Say of a network whether inputs, outputs and hidden units are divided as in section 5.3.

    Returns
    -------
    (bool, bool, bool)
        As `OverlapSuccess` describes them. Inputs do not count against outputs: a sub-function
        with inputs of its own may be one module with them, or two.
    """
    if not trial.sculpted:
        return False, False, False
    names = {name for part in trial.expected() for name in part.inputs}
    modules = Hierarchy.from_detection(trial.detection()).modules
    inputs = _divided(
        [module.inputs for module in modules],
        [[int(n[1:]) for n in part.nodes if n in names] for part in trial.expected()],
    )
    outputs = _divided(
        [module.outputs for module in modules],
        [[int(n[1:]) for n in part.outputs] for part in trial.expected()],
    )
    others = (m for m in modules if not m.outputs)
    # What has no outputs may hold inputs, of which each is a node.
    hidden = all(len(module.nodes) == len(module.inputs) for module in others)
    return inputs, outputs, outputs and hidden


def overlap_of(task: str) -> int:
    """Give how many inputs two sub-functions of four inputs each have in common."""
    return 8 - int(task.strip("[]").split(",")[0])


def level_successes(found: Found) -> list[LevelSuccess]:
    """Sum up uses, widths and seeds by hidden layers (figure 12a)."""
    groups = _grouped(trials(found, "levels"), lambda t: int(t.cell["depth"]))
    kinds = (("left", "right"), ("middle",), ("first", "second"), ("merged",))
    lines = []
    for depth, group in groups.items():
        separable, middle, outputs, merged = (
            None if None in (shown := [t.shows(*kind) for t in group]) else _share(map(bool, shown))
            for kind in kinds
        )
        lines.append(LevelSuccess(depth, len(group), separable, middle, outputs, merged))
    return lines


def rate_lines(found: Found) -> list[RateLine]:
    """Put tables 2 and 3 beside the paper's."""
    groups = _grouped(
        trials(found, "rates"),
        lambda t: (t.cell["task"], t.cell["depth"], t.cell["batch_size"], t.cell["learning_rate"]),
    )
    lines = []
    for task, by_depth in PAPER_RATES.items():
        for depth, by_batch in by_depth.items():
            for batch in BATCHES.get(task, tuple(by_batch)):
                cells = [groups.get((task, depth, batch, rate)) for rate in RATES]
                if not any(cells):
                    continue
                ours = tuple(
                    None
                    if not group or any(trial.told is None for trial in group)
                    else _share(trial.exact for trial in group)
                    for group in cells
                )
                run = tuple(bool(group) for group in cells)
                lines.append(RateLine(task, depth, batch, ours, by_batch[batch], run))
    return lines


def _grouped(all_of_them: Iterable[Trial], key: Callable[[Trial], _Key]) -> dict[_Key, list[Trial]]:
    """Put trials of the same key together, keys in the order in which they come."""
    groups: dict[_Key, list[Trial]] = {}
    for trial in all_of_them:
        groups.setdefault(key(trial), []).append(trial)
    return groups


def _share(values: Iterable[bool]) -> float:
    return float(np.mean(list(values)))


def _median_edges(group: Sequence[Trial]) -> float | None:
    edges = [t.told["live_edges"] for t in group if t.told is not None and t.sculpted]
    return float(np.median(edges)) if edges else None


def _divided(ours: Iterable[Sequence[int]], expected: Iterable[Sequence[int]]) -> bool:
    return {frozenset(part) for part in ours if part} == {
        frozenset(part) for part in expected if part
    }
