"""What happens in training, written into the run folder as it happens."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from nervure.data import Prepared
from nervure.networks import BlockDAG, FreeNet, NeuralModules, SparseMLP
from nervure.rules import Rewiring
from nervure.training import Checkpoint, Fitted, TrainingOptions, fit
from nervure.training.checkpoint import Stateful
from nervure.training.epoch_watch import Metrics
from nervure.training.loop import Augment, RuleMaker
from nervure.training.notes import Notes
from nervure.training.run import NETWORK, Run

LearnedNetwork = NeuralModules | FreeNet | SparseMLP | BlockDAG


class Recorder:
    """Trains, and writes into the run folder what happens."""

    def __init__(
        self, run: Run, data: Prepared, heard: Callable[[str, Mapping[str, Any]], None], label: str
    ) -> None:
        self.run = run
        self.data = data
        self.heard = heard
        self._label = label

    def notes(
        self,
        network: LearnedNetwork,
        epochs: int,
        *,
        label: str | None = None,
        more: Callable[[], Mapping[str, Any]] = dict,
        held: bool = False,
        snapshots: bool = True,
    ) -> Notes:
        """Make the notes of a network's training, by which listeners hear of it too."""
        heard = functools.partial(self.heard, label or self._label)
        return Notes(self.run, network, epochs, heard, more=more, held=held, snapshots=snapshots)

    def record(self, metrics: Mapping[str, Any]) -> None:
        """Write the metrics of an epoch, or of a round that stands for one, and tell listeners."""
        self.run.record_epoch(metrics["epoch"], metrics)
        self.heard(self._label, metrics)

    def fit(
        self,
        network: LearnedNetwork,
        options: TrainingOptions,
        rule: RuleMaker,
        *,
        augment: Augment | None = None,
        more: Callable[[], Mapping[str, Any]] = dict,
        snapshots: bool = True,
        parts: Mapping[str, Stateful] | None = None,
    ) -> Fitted:
        """Train as `nervure.training.fit` does.

        Parameters
        ----------
        network, options, rule, augment
            As for `fit`.
        more : callable
            Gives further metrics of the epoch that has just ended.
        snapshots : bool
            Whether the wiring is written at some of the epochs: not where training leaves it alone.
        parts : mapping, optional
            What else belongs into the checkpoints, by which a run is gone on with.

        Returns
        -------
        Fitted
        """
        notes = self.notes(network, options.epochs, more=more, snapshots=snapshots)
        return fit_prepared(
            network, self.data, options, notes.on_epoch, rule=rule, augment=augment,
            on_rewiring=notes.on_rewiring,
            checkpoint=Checkpoint(
                self.run.checkpoint_path(NETWORK), {"notes": notes, **(parts or {})}
            ),
        )  # fmt: skip


def fit_prepared(
    network: nn.Module,
    data: Prepared,
    options: TrainingOptions,
    on_epoch: Callable[[Metrics], None],
    rule: RuleMaker | None = None,
    augment: Augment | None = None,
    on_rewiring: Callable[[int, int, Rewiring, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    """Train as `nervure.training.fit` does, on the training and validation rows of the data."""
    return fit(
        network,
        data.x_train,
        data.y_train,
        task=data.task,
        options=options,
        rule=rule,
        validation=(data.x_validation, data.y_validation),
        augment=augment,
        on_epoch=on_epoch,
        on_rewiring=on_rewiring,
        checkpoint=checkpoint,
    )
