"""How often neurons are active, and inactive, together."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nervure.errors import EngineError
from nervure.rules.total import Total
from nervure.topology import Topology


class CoActivationStatistics:
    """Counts of joint activity, gathered batch by batch.

    A neuron is active on a sample where its value is above zero. With S the 0/1 matrix of n
    samples, NCAM = S S^T / n and NCIM = (1 - S)(1 - S)^T / n; the second follows from the first,
    so that only joint activity is counted.

    Parameters
    ----------
    neurons : int

    Attributes
    ----------
    samples : int
        Samples seen.

    Notes
    -----
    Memory is O(neurons^2), whatever the number of samples. Counts are exact. Paper: freenets,
    section 3.4.

    Examples
    --------
    >>> import torch
    >>> from nervure.rules import CoActivationStatistics
    >>> statistics = CoActivationStatistics(2)
    >>> statistics.add(torch.tensor([[0.3, 0.1], [0.0, 2.0]]))
    >>> statistics.ncam.tolist(), statistics.ncim.tolist()
    ([[0.5, 0.5], [0.5, 1.0]], [[0.5, 0.0], [0.0, 0.0]])
    """

    def __init__(self, neurons: int) -> None:
        self.samples = 0
        self._both = torch.zeros((neurons, neurons), dtype=torch.float64)

    @torch.no_grad()
    def add(self, values: Tensor) -> None:
        """Count a batch of values, shape (..., neurons)."""
        neurons = len(self._both)
        if values.shape[-1] != neurons:
            raise EngineError(f"values: expected (..., {neurons}), got {tuple(values.shape)}")
        # 2^23 samples at a time, up to which float32 counts exactly.
        for part in values.reshape(-1, neurons).split(1 << 23):
            active = (part > 0).float()
            self._both += (active.T @ active).cpu()
            self.samples += len(part)

    def sum_(self, total: Total) -> None:
        """Make the counts those of all processes, each of which has some of the samples."""
        self._both = total(self._both)
        self.samples = int(total(torch.tensor(self.samples)))

    @property
    def ncam(self) -> Tensor:
        """Share of samples on which both neurons are active, shape (neurons, neurons), float64."""
        return self._both / self._counted()

    @property
    def ncim(self) -> Tensor:
        """Share of samples on which neither neuron is active, shape (neurons, neurons), float64."""
        active = self._both.diagonal()
        samples = self._counted()
        return (samples - active[:, None] - active[None, :] + self._both) / samples

    def _counted(self) -> int:
        if self.samples == 0:
            raise EngineError(
                "no samples to take statistics over: run the network on some, or give the rule data"
            )
        return self.samples

    def state_dict(self) -> dict[str, Any]:
        """Give the counts."""
        return {"samples": self.samples, "both": self._both.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.samples = state["samples"]
        self._both.copy_(state["both"])


def joined_pairs(topology: Topology) -> NDArray[np.bool_]:
    """Mark the pairs with an edge, shape (nodes, nodes), [target, source]."""
    joined = np.zeros((topology.num_nodes, topology.num_nodes), dtype=np.bool_)
    joined[topology.targets, topology.sources] = True
    return joined


def pair_histograms(
    topology: Topology, statistics: CoActivationStatistics, bins: int = 100
) -> dict[str, list[int]]:
    """Count the pairs that an update looks at by their share of samples.

    Parameters
    ----------
    topology : Topology
        Before the update; edges lead from lower to higher numbers.
    statistics : CoActivationStatistics
    bins : int
        Of equal width, from 0 to 1.

    Returns
    -------
    dict of list of int, each of length `bins`
        "inactive_joined": NCIM of pairs with an edge, what pruning looks at.
        "active_apart": NCAM of pairs without one, what growth looks at.

    Notes
    -----
    Paper: freenets, figure 7.

    Examples
    --------
    >>> import torch
    >>> from nervure import Topology
    >>> statistics = CoActivationStatistics(3)
    >>> statistics.add(torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]))
    >>> pair_histograms(Topology.from_edges([(0, 2)], num_nodes=3), statistics, bins=2)
    {'inactive_joined': [1, 0], 'active_apart': [1, 1]}
    """
    joined = joined_pairs(topology)
    apart = np.tri(topology.num_nodes, k=-1, dtype=np.bool_) & ~joined
    looked_at = {
        "inactive_joined": statistics.ncim.numpy()[joined],
        "active_apart": statistics.ncam.numpy()[apart],
    }
    return {
        name: np.histogram(shares, bins, (0, 1))[0].tolist() for name, shares in looked_at.items()
    }
