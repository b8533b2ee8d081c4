"""Sparse training by name: the network to start from, and the rule that rewires it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from nervure.errors import EngineError
from nervure.networks import SparseMLP
from nervure.networks.sparse_mlp import EPSILON
from nervure.rules import SET, MagnitudePruning, RigL, Static
from nervure.rules.evolutionary import ZETA
from nervure.rules.sparse_training import SparseTraining
from nervure.topology import erdos_renyi_densities
from nervure.training.loop import RuleMaker
from nervure.training.options import Task, TrainingOptions

SparseRule = Literal["set", "rigl", "magnitude", "static"]
RULES: tuple[SparseRule, ...] = ("set", "rigl", "magnitude", "static")

# When magnitude pruning begins and ends, and rigl ends, in shares of the training.
_BEGIN, _END = 0.1, 0.75


@dataclass(frozen=True)
class SparseOptions:
    """What a sparse network is and how it is rewired.

    Attributes
    ----------
    hidden : sequence of int
        Nodes of each hidden layer.
    epsilon : float
        Density of each pair of layers by Erdős and Rényi, epsilon (n + m) / (n m), at most 1; at
        the end, for "magnitude", which begins with every edge.
    motif_size, tied, activation
        As for `SparseMLP`.
    rule : {"set", "rigl", "magnitude", "static"}
        The rule: `SET`, `RigL`, `MagnitudePruning` or `Static`.
    zeta : float
        Share of the edges that "set" and "rigl" exchange at an update.
    interval : int, optional
        Optimizer steps between updates; one epoch if None.
    """

    hidden: Sequence[int] = (300, 300)
    epsilon: float = EPSILON
    motif_size: int = 1
    tied: bool = False
    activation: str = "relu"
    rule: SparseRule = "set"
    zeta: float = ZETA
    interval: int | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.rule not in RULES:
            problems.append(f"rule: expected one of {', '.join(RULES)}, got {self.rule!r}")
        if not 0 <= self.zeta <= 1:
            problems.append(f"zeta: expected 0 to 1, got {self.zeta}")
        if not self.hidden or min(self.hidden) < 1:
            problems.append(
                f"hidden layers: expected at least one of at least 1 node, got {list(self.hidden)}"
            )
        if problems:
            raise EngineError("; ".join(problems))

    def sizes(self, inputs: int, outputs: int) -> list[int]:
        """Give the nodes of all layers."""
        return [inputs, *self.hidden, outputs]

    def make_network(self, inputs: int, outputs: int, *, seed: int) -> SparseMLP:
        """Make the untrained network.

        The input layer is filled up to whole motifs.

        Raises
        ------
        EngineError
            If a hidden layer does not consist of whole motifs, or an option is out of range.
        """
        dense = self.rule == "magnitude"
        return SparseMLP(
            self.sizes(inputs, outputs),
            epsilon=None if dense else self.epsilon,
            density=1.0 if dense else None,
            motif_size=self.motif_size,
            tied=self.tied,
            pad=True,
            activation=self.activation,
            seed=seed,
        )

    def make_rule(self, options: TrainingOptions, rows: int) -> RuleMaker:
        """Make the maker of the rule for `fit`.

        Parameters
        ----------
        options : TrainingOptions
            How the network will be trained; the rule draws by its seed.
        rows : int
            Of the training data.

        Notes
        -----
        "set" leaves the wiring alone after the last update that training can still follow.
        """
        epoch = options.steps_per_epoch(rows)
        steps = epoch * options.epochs
        interval = self.interval or epoch
        end = max(1, int(_END * steps))

        def make(network: nn.Module, optimizer: torch.optim.Optimizer) -> SparseTraining:
            if self.rule == "static":
                return Static(network, optimizer)
            if self.rule == "set":
                return SET(network, optimizer, interval=interval, zeta=self.zeta, end=steps,
                           seed=options.seed)  # fmt: skip
            if self.rule == "rigl":
                return RigL(network, optimizer, interval=interval, alpha=self.zeta, end=end,
                            seed=options.seed)  # fmt: skip
            assert isinstance(network, SparseMLP)
            begin = min(end - 1, int(_BEGIN * steps))
            # Several updates to a cubic curve, however few the epochs.
            interval_here = max(1, min(interval, (end - begin) // 10))
            return MagnitudePruning(network, optimizer, keep=self._share(network.sizes),
                                    begin=begin, end=end, interval=interval_here,
                                    distribution="erk")  # fmt: skip

        return make

    def _share(self, sizes: Sequence[int]) -> float:
        cells = [n * m for n, m in pairwise(sizes)]
        densities = erdos_renyi_densities(sizes, self.epsilon)
        return sum(d * c for d, c in zip(densities, cells, strict=True)) / sum(cells)


def automatic_sparse_rate(task: Task) -> float:
    """Choose SGD's 0.05 for classes (the motif paper's), 0.01 for regression."""
    return 0.01 if task == "regression" else 0.05
