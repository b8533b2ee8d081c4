"""`CyclicForwardForward`: units on a graph with loops, each learning by a loss of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nervure.errors import EngineError
from nervure.networks.linear import linear
from nervure.topology import Topology

# Below any mean square that matters: keeps silent units from dividing by zero.
_LEAST_SQUARE = 1e-8
# Of uniform weights, for sums of variance 1: the goodness of standardised rows begins near 1, from
# where units are pushed up and down alike. Below it they are all pushed up first, and may overshoot
# until they are silent for good.
_GAIN = 3**0.5


class CyclicForwardForward(nn.Module):
    """A fixed directed graph of small layers, trained without any gradient between them.

    The neurons are shared among `groups` units. At every step each unit sees the features, a field
    for the label, and what its predecessors gave a step before: a = relu(E [x, label] + W s). The
    states s that are handed on are scaled to mean square 1, so that they do not tell how good the
    unit before found the row, and detached, so that a loss reaches the weights of one unit at one
    step only. A unit finds a row good when the mean square of its neurons is above `threshold`; it
    learns to find rows with their own label good, and rows with a wrong one bad.

    Parameters
    ----------
    inputs, outputs : int
        Features in; classes out, at least 2.
    nodes : int
        Neurons of all units together, at least one in each.
    groups : int
        Computational units.
    topology : Topology, optional
        Which unit reads which, `groups` nodes; the complete digraph by default. Its inputs and
        outputs have no meaning here: all units see the row, and all are read.
    steps : int
        Synchronous updates, the first of which sees the row alone.
    threshold : float
        Goodness between bad and good.
    seed : int, optional
        For the initial weights, and then for the wrong labels; torch's default generator if None.

    Raises
    ------
    EngineError
        If an option does not fit.

    Notes
    -----
    Paper: neural-modules, section 4.2 and appendix D. Yang et al. 2024, "Cyclic neural network",
    arXiv:2402.03332; the local losses are those of Hinton 2022, "The forward-forward algorithm",
    arXiv:2212.13345. A linear read-out takes the states of all units at the last step, with a label
    field that is the same for every class; cross-entropy trains the read-out, and nothing behind
    it. The generator of the wrong labels is no part of the state dict.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from nervure.baselines import CyclicForwardForward
    >>> from nervure.training import TrainingOptions, fit
    >>> x, y = load_iris(return_X_y=True)
    >>> network = CyclicForwardForward(4, 3, nodes=40, seed=0)
    >>> options = TrainingOptions(epochs=2, learning_rate=0.1)
    >>> fitted = fit(network, x, y, task="classification", options=options, loss=network.loss)
    >>> len(fitted.history)
    2
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        nodes: int = 200,
        groups: int = 4,
        topology: Topology | None = None,
        steps: int = 4,
        threshold: float = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("inputs", inputs, 1),
            ("outputs", outputs, 2),
            ("groups", groups, 1),
            ("nodes", nodes, groups),
            ("steps", steps, 1),
        ):
            if value < least:
                raise EngineError(f"{name}: expected at least {least}, got {value}")
        if not 0 < threshold < float("inf"):
            raise EngineError(f"threshold: expected above 0, got {threshold}")
        self.topology = Topology.complete(groups) if topology is None else topology
        if self.topology.num_nodes != groups:
            raise EngineError(f"topology: expected {groups} nodes, got {topology!r}")
        self.inputs, self.outputs, self.nodes = inputs, outputs, nodes
        self.steps, self.threshold = steps, threshold
        self.widths = [len(part) for part in np.array_split(np.arange(nodes), groups)]
        self._generator = None if seed is None else torch.Generator().manual_seed(seed)
        self.encoder = linear(inputs + outputs, nodes, self._generator)
        with torch.no_grad():
            self.encoder.weight.mul_(_GAIN)
        self.predecessors = [
            self.topology.sources[slice(*self.topology.indptr[unit : unit + 2])].tolist()
            for unit in range(groups)
        ]
        self.between = nn.ParameterList(
            self._drawn(width, sum(self.widths[source] for source in sources))
            for width, sources in zip(self.widths, self.predecessors, strict=True)
        )
        self.read_out = linear(nodes, outputs, self._generator)

    def config(self) -> dict[str, Any]:
        """Arguments that build a network of the same shape, but for its topology."""
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "nodes": self.nodes,
            "groups": len(self.widths),
            "steps": self.steps,
            "threshold": self.threshold,
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to logits (batch, outputs); no gradient goes beyond the read-out."""
        neutral = x.new_full((len(x), self.outputs), 1 / self.outputs)
        with torch.no_grad():
            for values in self._steps(x, neutral):
                state = values
        return cast(Tensor, self.read_out(self._scaled(state)))

    def goodness(self, x: Tensor, labels: Tensor) -> Tensor:
        """Give the mean square of each unit's neurons at each step.

        Parameters
        ----------
        x : Tensor, shape (batch, inputs)
        labels : Tensor of int64, shape (batch,)
            Written into the label field, right or wrong.

        Returns
        -------
        Tensor, shape (steps, batch, groups)
        """
        field = functional.one_hot(labels, self.outputs).to(x.dtype)
        return torch.stack([self._mean_squares(values) for values in self._steps(x, field)])

    def wrong_labels(self, labels: Tensor) -> Tensor:
        """Draw for every row one of the labels that are not its own, all as likely."""
        shift = torch.randint(1, self.outputs, labels.shape, generator=self._generator)
        return (labels + shift.to(labels.device)) % self.outputs

    @staticmethod
    def loss(network: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
        """Give what a training step makes smaller: ``fit(..., loss=network.loss)``.

        Parameters
        ----------
        network : CyclicForwardForward
        x : Tensor, shape (batch, inputs)
        labels : Tensor of int64, shape (batch,)

        Returns
        -------
        Tensor, shape ()
            The local losses, summed over units and averaged over steps and rows, and the
            cross-entropy of the read-out. With goodness g of a row with its own label and g' with a
            wrong one, a local loss is softplus(threshold - g) + softplus(g' - threshold).

        Raises
        ------
        EngineError
            If the network is another.
        """
        if not isinstance(network, CyclicForwardForward):
            raise EngineError(f"expected a CyclicForwardForward, got {type(network).__name__}")
        both = torch.cat((labels, network.wrong_labels(labels)))
        right, wrong = network.goodness(torch.cat((x, x)), both).chunk(2, dim=1)
        local = functional.softplus(network.threshold - right)
        local = local + functional.softplus(wrong - network.threshold)
        return local.sum(dim=2).mean() + functional.cross_entropy(network(x), labels)

    def _drawn(self, width: int, sources: int) -> nn.Parameter:
        bound = _GAIN * max(1, sources) ** -0.5
        weight = torch.empty(width, sources)
        return nn.Parameter(weight.uniform_(-bound, bound, generator=self._generator))

    def _steps(self, x: Tensor, field: Tensor) -> Iterator[Tensor]:
        """Give the neurons' values, (batch, nodes), after each step."""
        drive = self.encoder(torch.cat((x, field), dim=1))
        values = torch.relu(drive)
        yield values
        for _ in range(self.steps - 1):
            units = self._scaled(values).detach().split(self.widths, dim=1)
            inflow = [
                functional.linear(torch.cat([units[s] for s in sources], dim=1), weight)
                if sources
                else torch.zeros_like(unit)
                for unit, weight, sources in zip(
                    units, self.between, self.predecessors, strict=True
                )
            ]
            values = torch.relu(drive + torch.cat(inflow, dim=1))
            yield values

    def _mean_squares(self, values: Tensor) -> Tensor:
        parts = values.split(self.widths, dim=1)
        return torch.stack([part.square().mean(dim=1) for part in parts], dim=1)

    def _scaled(self, values: Tensor) -> Tensor:
        parts = values.split(self.widths, dim=1)
        squares = self._mean_squares(values)
        scales = (squares + _LEAST_SQUARE).rsqrt().split(1, dim=1)
        return torch.cat([part * s for part, s in zip(parts, scales, strict=True)], dim=1)
