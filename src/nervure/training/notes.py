"""`Notes`: what happens in a training, written into the run folder as it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from nervure.networks import GraphLayer
from nervure.rules import Rewiring
from nervure.topology import Topology
from nervure.training.epoch_watch import Metrics
from nervure.training.run import RewiringRow, Run

# At most so many snapshots of the wiring are kept for the report.
_SNAPSHOTS = 20


class Notes:
    """What a training has to tell the run folder, written as it comes or held back at first.

    Parameters
    ----------
    run : Run
    network : torch.nn.Module
        In training; its wiring is kept where it has one.
    epochs : int
        How many there will be.
    heard : callable, optional
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
        network: nn.Module,
        epochs: int,
        heard: Callable[[Metrics], None] = lambda _: None,
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
        self._last = 0

    def release(self) -> None:
        """Write what was held back, and from now on as it comes."""
        held, self._held = self._held or [], None
        for write in held:
            write()

    def on_rewiring(self, step: int, epoch: int, rewiring: Rewiring, gamma: float) -> None:
        """Take note of an update."""
        self._pending.append(RewiringRow(step, epoch, rewiring.pruned, rewiring.grown, gamma))

    def on_epoch(self, metrics: Metrics) -> None:
        """Take note of an epoch, and of the wiring at some of them."""
        epoch, rewirings = metrics["epoch"], self._pending
        self._pending = []
        row = {**metrics, **self._more()}
        every = max(1, self._epochs // _SNAPSHOTS)
        kept = self._snapshots and (epoch % every == 0 or epoch in (1, self._epochs))
        topology = wiring_of(self._network) if kept else None

        def write() -> None:
            self._run.record_rewirings(rewirings)
            if topology is not None:
                self._run.record_topology(epoch, topology)
            # Last, since it commits them all.
            self._run.record_epoch(epoch, row)

        if self._held is None:
            write()
        else:
            self._held.append(write)
        self._last = epoch
        self._heard(metrics)

    def state_dict(self) -> dict[str, Any]:
        """Give the number of the last epoch, for a checkpoint."""
        return {"epoch": self._last}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after an epoch: what the run has of later ones will be trained again."""
        self._last = int(state["epoch"])
        self._run.rewind(self._last)


def wiring_of(network: nn.Module) -> Topology | None:
    """Give the learned wiring of a network, where there is one, and only one."""
    topology = getattr(network, "topology", None)
    if isinstance(topology, Topology):
        return topology
    layers = [module for module in network.modules() if isinstance(module, GraphLayer)]
    return layers[0].topology if len(layers) == 1 else None
