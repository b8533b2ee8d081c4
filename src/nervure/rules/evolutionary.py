"""`SET`, `RigL`, `MagnitudePruning` and `Static`: combinations of the same parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from nervure.rules.parts import (
    Between,
    Budget,
    Cosine,
    DropName,
    GradientGrowth,
    Never,
    Periodic,
    UniformGrowth,
)
from nervure.rules.sparse_training import Distribution, NewWeight, OptimizerState, SparseTraining

ZETA = 0.3


class SET(SparseTraining):
    """Sparse evolutionary training: the weakest edges go, as many random ones come.

    Parameters
    ----------
    network, optimizer
        As for `SparseTraining`; a layered network.
    interval : int
        Optimizer steps between updates; the paper has one epoch.
    zeta : float
        Share of the edges exchanged.
    end : int, optional
        Step from which on the wiring stays; None for never.
    drop : {"sign", "magnitude"}
        "sign" is the paper's: the smallest positive and, separately, the largest negative ones.
    new_weight, regrow, evolve_output, optimizer_state, sizes, seed
        As for `SparseTraining`. The three published codes of the method differ in the first three.

    Notes
    -----
    Papers: Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse
    connectivity inspired by network science", Nature Communications 9 (2018); motif-set, section
    3.3, where the edges are those of motifs.

    Examples
    --------
    >>> import torch
    >>> from nervure import SparseMLP
    >>> from nervure.rules import SET
    >>> net = SparseMLP([8, 20, 4], epsilon=2, seed=0)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    >>> rule = SET(net, optimizer, interval=1, seed=0)
    >>> net(torch.ones(5, 8)).square().sum().backward()
    >>> optimizer.step()
    >>> rewiring = rule.step()
    >>> len(rewiring.pruned) == len(rewiring.grown) > 0
    True
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        interval: int,
        zeta: float = ZETA,
        end: int | None = None,
        drop: DropName = "sign",
        new_weight: NewWeight = "zero",
        regrow: bool = False,
        evolve_output: bool = True,
        optimizer_state: OptimizerState = "carry",
        sizes: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            network,
            optimizer,
            schedule=Periodic(zeta, interval, end),
            drop=drop,
            grow=UniformGrowth(),
            new_weight=new_weight,
            regrow=regrow,
            evolve_output=evolve_output,
            optimizer_state=optimizer_state,
            sizes=sizes,
            seed=seed,
        )


class RigL(SparseTraining):
    """SET with another growth: where the gradient of absent edges is largest.

    Parameters
    ----------
    network, optimizer
        As for `SparseTraining`; a layered network.
    interval : int
        Optimizer steps between updates; the paper has 100.
    end : int
        Step from which on the wiring stays; the paper has three quarters of the training.
    alpha : float
        Share of the edges exchanged at first; it falls along half a cosine to zero.
    evolve_output, optimizer_state, sizes, seed
        As for `SparseTraining`.

    Notes
    -----
    Each update needs the dense gradient of one batch, O(batch * n * m) for layers of n and m nodes;
    it is never kept whole. Unlike the authors' code the optimizer also steps at an update.

    Paper: Evci et al., "Rigging the lottery: making all tickets winners", ICML 2020.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        interval: int = 100,
        end: int,
        alpha: float = ZETA,
        evolve_output: bool = True,
        optimizer_state: OptimizerState = "carry",
        sizes: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            network,
            optimizer,
            schedule=Cosine(alpha, interval, end),
            drop="magnitude",
            grow=GradientGrowth(),
            regrow=True,
            evolve_output=evolve_output,
            optimizer_state=optimizer_state,
            sizes=sizes,
            seed=seed,
        )


class MagnitudePruning(SparseTraining):
    """Gradual pruning: from many edges to few along a cubic curve, the weakest first.

    Parameters
    ----------
    network, optimizer
        As for `SparseTraining`; any network with sparse storage.
    keep : float
        Share of the edges of the start that is there at the end.
    begin, end : int
        Steps between which edges go.
    interval : int
        Optimizer steps between updates.
    distribution : {"layer", "erk", "global"}
        Whether every pair of layers keeps the same share of its edges, or ends at the density of
        `nervure.topology.shared_densities`, or the weakest edges go wherever they are.
    optimizer_state, sizes
        As for `SparseTraining`.

    Notes
    -----
    Paper: Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model
    compression", 2017 (arXiv:1710.01878).
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        keep: float,
        end: int,
        begin: int = 0,
        interval: int = 100,
        distribution: Distribution = "layer",
        optimizer_state: OptimizerState = "carry",
        sizes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(
            network,
            optimizer,
            schedule=Between(begin, end, interval),
            drop="magnitude",
            budget=Budget(keep, begin, end),
            distribution=distribution,
            optimizer_state=optimizer_state,
            sizes=sizes,
        )


class Static(SparseTraining):
    """The wiring of the start, to compare with."""

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(network, optimizer, schedule=Never())
