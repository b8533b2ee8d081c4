"""How long dense networks have to train before there is anything to prune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nervure.networks import GraphLayer
from nervure.training.sculpting.grid import Grid
from nervure.training.sculpting.options import SculptingOptions
from nervure.training.sculpting.task import Task

LADDER = (10, 15, 20, 30, 40, 60, 80, 120)
"""Numbers of epochs tried one after the other; 120 is the paper's largest (appendix H.2)."""


def shortest_training(
    starts: Sequence[GraphLayer],
    task: Task,
    options: SculptingOptions,
    *,
    seeds: Sequence[int],
    ladder: Sequence[int] = LADDER,
) -> int | None:
    """Find the fewest epochs after which every dense network has the merit asked for.

    Parameters
    ----------
    starts, task, options, seeds
        As for `sculpt`; the threshold of the options is what must be reached.
    ladder : sequence of int
        Numbers of epochs to try, rising.

    Returns
    -------
    int or None
        None if the last number is not enough.

    Notes
    -----
    Paper: neural-sculpting, appendix H.2: epochs are chosen so that the dense networks of all seeds
    reach the accuracy, and at most 120.
    """
    threshold = 1.0 if options.threshold is None else options.threshold
    for epochs in ladder:
        grid = Grid(starts, task, replace(options, epochs=epochs), seeds)
        grid.train_dense()
        if all(root.rounds[0].merit >= threshold for root in grid.roots):
            return epochs
    return None
