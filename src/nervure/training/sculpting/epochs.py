"""How long dense networks have to train before there is anything to prune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nervure.networks import GraphLayer
from nervure.training.sculpting.options import SculptingOptions
from nervure.training.sculpting.round_of_many import RoundOfMany, RoundOptions, RoundResult
from nervure.training.sculpting.state import NetworkState
from nervure.training.sculpting.task import Task

LADDER = (10, 15, 20, 30, 40, 60, 80, 120)
"""Numbers of epochs tried one after the other; 120 is the paper's largest (appendix H.2)."""


def train_dense(
    starts: Sequence[GraphLayer], task: Task, options: SculptingOptions, *, seeds: Sequence[int]
) -> list[RoundResult]:
    """Train networks as they are, as the first round of `sculpt` does.

    Parameters
    ----------
    starts, task, options, seeds
        As for `sculpt`.

    Returns
    -------
    list of RoundResult
    """
    settings = RoundOptions(
        options.epochs, options.batch_size, options.learning_rate, options.weight_decay,
        options.noise,
    )  # fmt: skip
    many = RoundOfMany(
        [NetworkState.of(start) for start in starts],
        [np.array(start.activation) for start in starts],
        seeds,
        task,
        settings,
    )
    return many.train(0, scored=False)


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
        trained = train_dense(starts, task, replace(options, epochs=epochs), seeds=seeds)
        if all(result.merit >= threshold for result in trained):
            return epochs
    return None
