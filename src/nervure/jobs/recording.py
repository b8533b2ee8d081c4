"""What happens in training, written into the run folder as it happens."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from nervure.data import Prepared
from nervure.networks import BlockDAG, FreeNet, NeuralModules, SparseMLP
from nervure.rules import Rewiring
from nervure.training import Fitted, TrainingOptions, fit
from nervure.training.loop import Augment, RuleMaker
from nervure.training.run import RewiringRow, Run

# At most so many snapshots of the wiring are kept for the report.
_SNAPSHOTS = 20

LearnedNetwork = NeuralModules | FreeNet | SparseMLP | BlockDAG


class Notes:
    """What a training has to tell the run folder, written as it comes or held back at first.

    Parameters
    ----------
    run : Run
    network : LearnedNetwork
        In training.
    epochs : int
        How many there will be.
    heard : callable
        Given the metrics of each epoch.
    more : callable
        Gives further metrics of the epoch that has just ended.
    held : bool
        Whether nothing is written before `release`.
    snapshots : bool
        Whether the wiring is written at some of the epochs.
    """

    def __init__(
        self,
        run: Run,
        network: LearnedNetwork,
        epochs: int,
        heard: Callable[[Mapping[str, Any]], None],
        *,
        more: Callable[[], Mapping[str, Any]] = dict,
        held: bool = False,
        snapshots: bool = True,
    ) -> None:
        self._run = run
        self._network = network
        self._epochs = epochs
        self._heard = heard
        self._more = more
        self._snapshots = snapshots
        self._pending: list[RewiringRow] = []
        self._held: list[Callable[[], None]] | None = [] if held else None

    def release(self) -> None:
        """Write what was held back, and from now on as it comes."""
        held, self._held = self._held or [], None
        for write in held:
            write()

    def on_rewiring(self, step: int, epoch: int, rewiring: Rewiring, gamma: float) -> None:
        """Take note of an update."""
        self._pending.append(RewiringRow(step, epoch, rewiring.pruned, rewiring.grown, gamma))

    def on_epoch(self, metrics: Mapping[str, Any]) -> None:
        """Take note of an epoch, and of the wiring at some of them."""
        epoch, rewirings = metrics["epoch"], self._pending
        self._pending = []
        row = {**metrics, **self._more()}
        every = max(1, self._epochs // _SNAPSHOTS)
        topology = self._network.topology
        snapshot = self._snapshots and (epoch % every == 0 or epoch in (1, self._epochs))

        def write() -> None:
            self._run.record_epoch(epoch, row)
            self._run.record_rewirings(rewirings)
            if snapshot:
                self._run.record_topology(epoch, topology)

        if self._held is None:
            write()
        else:
            self._held.append(write)
        self._heard(metrics)


class Recorder:
    """Trains, and writes into the run folder what happens."""

    def __init__(
        self, run: Run, data: Prepared, heard: Callable[[str, Mapping[str, Any]], None], label: str
    ) -> None:
        self.run = run
        self.data = data
        self._heard = heard
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
        heard = functools.partial(self._heard, label or self._label)
        return Notes(self.run, network, epochs, heard, more=more, held=held, snapshots=snapshots)

    def record(self, metrics: Mapping[str, Any]) -> None:
        """Write the metrics of an epoch, or of a round that stands for one, and tell listeners."""
        self.run.record_epoch(metrics["epoch"], metrics)
        self._heard(self._label, metrics)

    def fit(
        self,
        network: LearnedNetwork,
        options: TrainingOptions,
        rule: RuleMaker,
        *,
        augment: Augment | None = None,
        more: Callable[[], Mapping[str, Any]] = dict,
        snapshots: bool = True,
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

        Returns
        -------
        Fitted
        """
        notes = self.notes(network, options.epochs, more=more, snapshots=snapshots)
        return fit_prepared(
            network, self.data, options, notes.on_epoch, rule=rule, augment=augment,
            on_rewiring=notes.on_rewiring,
        )  # fmt: skip


def fit_prepared(
    network: nn.Module,
    data: Prepared,
    options: TrainingOptions,
    on_epoch: Callable[[Mapping[str, Any]], None],
    rule: RuleMaker | None = None,
    augment: Augment | None = None,
    on_rewiring: Callable[[int, int, Rewiring, float], None] | None = None,
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
    )
