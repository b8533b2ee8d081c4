"""The methods of Table 1 and Figure 2: how each is built and trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from nervure.baselines import DeepEquilibrium, LearnedDAG, OptNet, PlainNetwork
from nervure.networks import NeuralModules
from nervure.optional import install
from nervure.reproduce.neural_modules.job import Job
from nervure.rules import Repulsion
from nervure.rules.repulsion import Penalty

INSTALL = install("reproduce")
# Its metadata asks for NumPy 1; it runs with NumPy 2.
INSTALL_QPTH = 'pip install "nervure[reproduce]" && pip install --no-deps "qpth>=0.0.18"'


@dataclass(frozen=True)
class Range:
    """Where a hyper-parameter is searched, on a log scale; the first trial takes the default."""

    low: float
    default: float
    high: float

    def at(self, share: float) -> float:
        """Give the value at a share of the way from the lowest to the highest."""
        return float(self.low * (self.high / self.low) ** share)


_RATE = Range(0.05, 0.3, 2.0)


@dataclass(frozen=True)
class Method:
    """A contender.

    Attributes
    ----------
    label : str
        As in the paper's tables.
    train : callable (job) -> Module
        Trains by `Job.fit` and gives the network.
    ranges : mapping of str to Range
    packages : mapping of str to str
        What it needs beside the library, and the command that installs it.
    """

    label: str
    train: Callable[[Job], nn.Module]
    ranges: Mapping[str, Range] = field(default_factory=lambda: {"learning_rate": _RATE})
    packages: Mapping[str, str] = field(default_factory=dict)


def _as_built(
    kind: type[PlainNetwork] | type[DeepEquilibrium] | type[LearnedDAG] | type[OptNet],
) -> Callable[[Job], nn.Module]:
    def train(job: Job) -> nn.Module:
        network = kind(job.inputs, job.outputs, nodes=job.nodes, seed=job.seed)
        job.fit(network)
        return network

    return train


def neural_modules(penalty: Penalty) -> Callable[[Job], nn.Module]:
    """Give the training of neural modules under a penalty, with twice as many edges as nodes."""

    def train(job: Job) -> nn.Module:
        # A sample without equilibrium is counted and left out of its step: it is no reason to lose
        # the others.
        network = NeuralModules(
            job.inputs, job.outputs, nodes=job.nodes, on_failure="flag", seed=job.seed
        )

        def rule(_: nn.Module, optimizer: torch.optim.Optimizer) -> Repulsion:
            return Repulsion(
                network,
                optimizer,
                keep=2 * job.nodes,
                alpha=job.values.get("alpha", 0.0),
                penalty=penalty,
            )

        job.fit(network, rule=rule)
        return network

    return train


_PENALISED = {"learning_rate": _RATE, "alpha": Range(1e-3, 1e-2, 1e-1)}

METHODS: dict[str, Method] = {
    "nn": Method("NN", _as_built(PlainNetwork)),
    "deq": Method("DEQ", _as_built(DeepEquilibrium), packages={"torchdeq": INSTALL}),
    "dag": Method("DAG", _as_built(LearnedDAG)),
    "optnet": Method("OptNet", _as_built(OptNet), packages={"qpth": INSTALL_QPTH}),
    "nms": Method("NMs", neural_modules("none")),
    "nms-l2": Method("NMs & L2", neural_modules("l2"), ranges=_PENALISED),
    "nms-nm": Method("NMs & NM", neural_modules("repulsion"), ranges=_PENALISED),
}
"""Those of Table 1, in its order."""
