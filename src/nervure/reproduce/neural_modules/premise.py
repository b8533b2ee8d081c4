"""`Premise`: what Theorem 3.3 speaks of, written down while a network trains."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nervure.networks import NeuralModules

_POINTS = 40


class Premise:
    """Watches distance and gradient at every step, and keeps them at some.

    To be given to `modules_training`.

    Parameters
    ----------
    steps : int
        That the training will have. Values are kept at the first and at about 40 more, evenly on a
        logarithmic axis.
    x : ndarray of float32, shape (rows, features)
    y : ndarray of int64, shape (rows,)
        Rows over which the gradient is taken, all at once.

    Attributes
    ----------
    points : list of dict
        iteration (from 0), distance (``|w - w~|^2``, dense against thresholded weights), norm
        (``|w|^2``), gradient (squared norm of the gradient of the loss with respect to the kept
        edges, over `x`) and batch_gradient_mean (the same of the batches so far, their mean).
    largest : float
        Largest distance after the start, in units of that at the start.
    last_above : int
        Last iteration whose distance is not below that at the start.

    Notes
    -----
    Paper: neural-modules, Theorem 3.3 and eq. 23. Biases are no edges: they are not thresholded,
    and count in none of the norms.
    """

    def __init__(self, steps: int, x: NDArray[np.float32], y: NDArray[np.int64]) -> None:
        later = np.geomspace(1, max(1, steps - 1), min(_POINTS, steps)).round().astype(int)
        self._kept = {0, *later.tolist()}
        self._x, self._y = torch.from_numpy(x), torch.from_numpy(y)
        self._iteration = 0
        self._below = 0
        self._batch_gradients = 0.0
        self.points: list[dict[str, float]] = []
        self.largest = 0.0
        self.last_above = 0

    def __call__(self, network: NeuralModules) -> None:
        """Look at the network, whose gradients are those of the batch."""
        distance, norm = _distance(network)
        own = network.core.weight.grad
        assert own is not None
        self._batch_gradients += _squared_of_edges(network, own)
        if self._iteration:
            start = self.points[0]["distance"]
            self._below += distance < start
            self.last_above = self._iteration if distance >= start else self.last_above
            self.largest = max(self.largest, distance / start)
        if self._iteration in self._kept:
            self.points.append(
                {
                    "iteration": self._iteration,
                    "distance": distance,
                    "norm": norm,
                    "gradient": self._gradient(network),
                    "batch_gradient_mean": self._batch_gradients / (self._iteration + 1),
                }
            )
        self._iteration += 1

    @property
    def holding(self) -> float:
        """Share of steps after the start whose distance is below that at the start."""
        return self._below / max(1, self._iteration - 1)

    def _gradient(self, network: NeuralModules) -> float:
        with torch.enable_grad():
            loss = functional.cross_entropy(network(self._x), self._y)
            (gradient,) = torch.autograd.grad(loss, [network.core.weight])
        return _squared_of_edges(network, gradient)


def _distance(network: NeuralModules) -> tuple[float, float]:
    """Squared norms of the weights that are no edges, and of all."""
    weight = network.core.weight.detach().double()
    norm = float(weight.square().sum() - weight.diagonal().square().sum())
    return norm - float(network.core.edge_weight.double().square().sum()), norm


def _squared_of_edges(network: NeuralModules, matrix: Tensor) -> float:
    ends = torch.from_numpy(network.topology.edges.T[::-1].astype(np.int64))
    return float(matrix[tuple(ends)].double().square().sum())


def fitted_slope(points: list[dict[str, float]], key: str) -> float:
    """Fit the power of the iteration with which a quantity goes in the end.

    Parameters
    ----------
    points : list of dict
        As from `Premise`. Those of the last decade of iterations are fitted, since at first the
        read-out is untrained and little of the loss comes back to the edges.
    key : str
        Which quantity.

    Returns
    -------
    float
        nan of fewer than three points.
    """
    chosen = [p for p in points if 10 * p["iteration"] >= points[-1]["iteration"] and p[key] > 0]
    if len(chosen) < 3:
        return float("nan")
    slope, _ = np.polyfit(
        np.log([p["iteration"] for p in chosen]), np.log([p[key] for p in chosen]), 1
    )
    return float(slope)
