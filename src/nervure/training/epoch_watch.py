"""What one epoch of training has to tell."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from nervure.modules import module_statistics
from nervure.networks import GraphLayer
from nervure.rules import Rewiring, Rule

Metrics = dict[str, Any]


class EpochWatch:
    """Gathers the metrics of one epoch, which begins as it is made, batch by batch.

    Parameters
    ----------
    layers : sequence of GraphLayer
        The learned wirings of the network; may be empty.
    cyclic : bool
        Whether they may have cycles. Without, there are no modules and there is nothing to solve,
        and the metrics do not speak of either.

    Attributes
    ----------
    last_loss : float
    """

    def __init__(self, layers: Sequence[GraphLayer], *, cyclic: bool) -> None:
        self.layers = layers
        self.cyclic = cyclic
        self.last_loss = 0.0
        self._begin = time.perf_counter()
        self._loss = 0.0
        self._rows = 0
        self._sweeps: list[int] = []
        self._residual = 0.0
        self._lost = 0
        self._recovered = 0
        self._pruned = 0
        self._grown = 0

    def batch(self, loss: float, rows: int) -> None:
        """Take note of a batch, after its forward pass."""
        self.last_loss = loss
        self._loss += loss * rows
        self._rows += rows
        if not self.cyclic:
            return
        for layer in self.layers:
            status = layer.status
            if status is not None:
                self._sweeps.append(status.sweeps)
                self._residual = max(self._residual, status.residual)
                self._lost += status.lost
                self._recovered += status.recovered

    def rewired(self, rewiring: Rewiring) -> None:
        """Take note of a step of the rule."""
        self._pruned += len(rewiring.pruned)
        self._grown += len(rewiring.grown)

    def metrics(self, epoch: int, before: float, rule: Rule | None) -> Metrics:
        """Give the metrics of the epoch, which ends now, `before` being the seconds before it."""
        seconds = time.perf_counter() - self._begin
        metrics: Metrics = {
            "epoch": epoch,
            "seconds": before + seconds,
            "train_seconds": seconds,
            "train_loss": self._loss / max(1, self._rows),
        }
        if self.layers:
            metrics["edges"] = sum(layer.topology.num_edges for layer in self.layers)
        if self.cyclic:
            metrics |= self._of_cycles()
        if rule is not None:
            metrics |= {"pruned": self._pruned, "grown": self._grown}
            gamma = getattr(rule, "gamma", None)
            if gamma is not None:
                metrics["gamma"] = float(gamma)
        return metrics

    def _of_cycles(self) -> Metrics:
        statistics = [module_statistics(layer.topology) for layer in self.layers]
        sizes = sorted((s for m in statistics for s in m.sizes), reverse=True)
        return {
            "modules": len(sizes),
            "largest_module": sizes[0] if sizes else 0,
            "module_sizes": sizes,
            "balance": statistics[0].balance if len(statistics) == 1 else float("nan"),
            "sweeps_mean": float(np.mean(self._sweeps)),
            "sweeps_max": max(self._sweeps),
            "residual_max": self._residual,
            "recovered": self._recovered,
            "lost": self._lost,
        }
