"""`DartsSearch`: move architecture parameters by a loss on rows that the weights do not see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from nervure.errors import EngineError
from nervure.rules.rule import Rewiring
from nervure.topology import Topology

Rows = NDArray[np.floating] | csr_array | csr_matrix
Batch = tuple[Tensor, Tensor]
BatchLoss = Callable[[Tensor, Tensor], Tensor]


def architecture_gradient(
    network: nn.Module,
    validation: Batch,
    training: Batch | None = None,
    *,
    rate: float = 0.0,
    radius: float = 0.01,
    loss: BatchLoss = functional.cross_entropy,
) -> Tensor:
    """Give the slope of the validation loss along the architecture parameters.

    Parameters
    ----------
    network : torch.nn.Module
        With the buffer ``architecture``; left as it is.
    validation : (x, targets)
    training : (x, targets), optional
        Needed for the second order; without it the weights are taken as they are.
    rate : float
        xi, of the one step of descent by which weights follow the architecture.
    radius : float
        Length of the way, in weights, over which the second derivative is taken as a difference.
    loss : callable
        (output, targets) -> Tensor.

    Returns
    -------
    Tensor, of the shape of ``network.architecture``

    Notes
    -----
    Liu, Simonyan and Yang 2019: eq. 6 with xi = 0, or eq. 7 with the product of Hessian and vector
    as in eq. 8, epsilon being `radius` over the length of the vector. Four passes instead of one.
    """
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    architecture = cast(Tensor, network.architecture).detach().requires_grad_()

    def value(at: Mapping[str, Tensor], batch: Batch) -> Tensor:
        output = functional_call(network, {**at, "architecture": architecture}, (batch[0],))
        return loss(output, batch[1])

    if training is None:
        return torch.autograd.grad(value(weights, validation), architecture)[0]
    moved = _descended(lambda at: value(at, training), weights, rate)
    direct, *along = torch.autograd.grad(
        value(moved, validation), [architecture, *moved.values()], materialize_grads=True
    )
    length = torch.stack([slope.square().sum() for slope in along]).sum().sqrt()
    if not length > 0:
        return direct
    ends = []
    for sign in (1, -1):
        shift = sign * radius / length
        there = {
            name: torch.addcmul(weight, shift, slope)
            for (name, weight), slope in zip(weights.items(), along, strict=True)
        }
        ends.append(torch.autograd.grad(value(there, training), architecture)[0])
    return direct - rate * (ends[0] - ends[1]) * (length / (2 * radius))


class DartsSearch:
    """After each step of the weights, a step of the architecture parameters.

    Parameters
    ----------
    network : torch.nn.Module
        With a buffer ``architecture`` (not among its parameters) and a `topology`, such as
        `nervure.baselines.DartsCell`.
    optimizer : torch.optim.Optimizer
        Of the weights; its learning rate of the moment is xi of the second order.
    validation : (x, y)
        Rows whose loss the architecture lowers; the weights must be trained on others. DARTS takes
        half of the training rows each. Dense or sparse.
    training : (x, y), optional
        The rows that the weights are trained on; for the second order.
    order : {1, 2}
        1 takes the weights as given; 2 looks one step of descent ahead.
    learning_rate : float
        Of Adam, with betas (0.5, 0.999), on the architecture.
    weight_decay : float
        The same, inside the gradient.
    batch_size : int
        Rows drawn for each step, of each of the two; all where there are fewer.
    loss : callable
        (output, targets) -> Tensor.
    seed : int
        For the draws.

    Attributes
    ----------
    layer : torch.nn.Module
        The network.

    Raises
    ------
    EngineError
        If the network has no such buffer, or an option does not fit.

    Notes
    -----
    Liu, Simonyan and Yang 2019, Algorithm 1, but for the order of the two steps. Their learning
    rate is 3e-4 for about 20,000 steps, their weight decay 1e-3.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from nervure.baselines import DartsCell
    >>> from nervure.rules import DartsSearch
    >>> from nervure.training import TrainingOptions, fit
    >>> x, y = load_iris(return_X_y=True)
    >>> first, second = np.random.default_rng(0).permutation(150).reshape(2, 75)
    >>> cell = DartsCell(4, 3, nodes=20, seed=0)
    >>> def search(network, optimizer):
    ...     return DartsSearch(network, optimizer, validation=(x[second], y[second]))
    >>> options = TrainingOptions(epochs=1, learning_rate=0.1)
    >>> fitted = fit(
    ...     cell, x[first], y[first], task="classification", options=options, rule=search
    ... )
    >>> network = cell.discretised(seed=1)
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        validation: tuple[Rows, NDArray[Any]],
        training: tuple[Rows, NDArray[Any]] | None = None,
        order: Literal[1, 2] = 1,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-3,
        batch_size: int = 128,
        loss: BatchLoss = functional.cross_entropy,
        seed: int = 0,
    ) -> None:
        if "architecture" not in dict(network.named_buffers()):
            raise EngineError(f"expected a buffer named architecture in {type(network).__name__}")
        if order not in (1, 2):
            raise EngineError(f"order: expected 1 or 2, got {order}")
        if order == 2 and training is None:
            raise EngineError("training: expected rows for the second order, got none")
        self.layer, self._optimizer = network, optimizer
        self._validation = validation
        self._training = training if order == 2 else None
        self._loss = loss
        self._batch_size = batch_size
        self._random = np.random.default_rng(seed)
        self._architecture = cast(Tensor, network.architecture)
        self._adam = torch.optim.Adam(
            [self._architecture], lr=learning_rate, betas=(0.5, 0.999), weight_decay=weight_decay
        )
        # No edge comes or goes while the search lasts.
        topology = cast(Topology, network.topology)
        self._unchanged = Rewiring(topology, topology)

    def step(self) -> Rewiring:
        """Take one step of Adam on the architecture.

        Returns
        -------
        Rewiring
            Always of no change.
        """
        self._architecture.grad = architecture_gradient(
            self.layer,
            self._drawn(self._validation),
            None if self._training is None else self._drawn(self._training),
            rate=float(self._optimizer.param_groups[0]["lr"]),
            loss=self._loss,
        )
        self._adam.step()
        self._architecture.grad = None
        return self._unchanged

    def state_dict(self) -> dict[str, Any]:
        """State of Adam and of the draws; the architecture is part of the network's state."""
        return {"adam": self._adam.state_dict(), "random": self._random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self._adam.load_state_dict(state["adam"])
        self._random.bit_generator.state = state["random"]

    def _drawn(self, rows: tuple[Rows, NDArray[Any]]) -> Batch:
        x, y = rows
        count = len(y)
        chosen = self._random.choice(count, min(count, self._batch_size), replace=False)
        part = x[chosen]
        dense = part if isinstance(part, np.ndarray) else part.toarray()
        weight = next(self.layer.parameters())
        return (
            torch.from_numpy(dense).to(weight.device, weight.dtype),
            torch.from_numpy(y[chosen]).to(weight.device),
        )


def _descended(
    value: Callable[[Mapping[str, Tensor]], Tensor], weights: Mapping[str, Tensor], rate: float
) -> dict[str, Tensor]:
    """Take one step of gradient descent, and let gradients begin there."""
    leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
    slopes = torch.autograd.grad(value(leaves), list(leaves.values()), materialize_grads=True)
    return {
        name: (weight - rate * slope).requires_grad_()
        for (name, weight), slope in zip(weights.items(), slopes, strict=True)
    }
