"""How often neurons are active, and inactive, together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nervure.errors import EngineError


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
