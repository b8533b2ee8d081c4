"""The job `nervure train neural-modules`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nervure.baselines import PlainNetwork
from nervure.data import Prepared
from nervure.engine.sweeping import OnFailure
from nervure.errors import EngineError
from nervure.jobs.recording import LearnedNetwork
from nervure.jobs.request import TrainRequest
from nervure.jobs.train import Experiment, Listener, TrainResult, run_job, sizes_of
from nervure.modules import module_statistics
from nervure.networks import NeuralModules
from nervure.rules import Repulsion
from nervure.rules.repulsion import ALPHA, Penalty
from nervure.training import Fitted, TrainingOptions
from nervure.training.options import automatic_learning_rate


@dataclass(frozen=True, kw_only=True)
class NeuralModulesRequest(TrainRequest):
    """What to train by neural modules.

    Attributes
    ----------
    nodes, keep, alpha, penalty, activation, contraction, on_failure
        Of the network and its rule; `keep` None means twice the nodes.
    epochs : int
    momentum : float
        As in `TrainingOptions`; `learning_rate` None means 0.3 for classes and 1 / nodes for
        regression.
    """

    nodes: int = 200
    keep: int | None = None
    alpha: float = ALPHA
    penalty: Penalty = "repulsion"
    activation: str = "tanh"
    contraction: float | None = None
    on_failure: OnFailure = "raise"
    epochs: int = 30
    momentum: float = 0.5


def train_neural_modules(
    request: NeuralModulesRequest, listener: Listener | None = None
) -> TrainResult:
    """Train neural modules and the plain network of as many neurons, and write the run folder.

    Parameters
    ----------
    request : NeuralModulesRequest
    listener : Listener, optional

    Returns
    -------
    TrainResult

    Raises
    ------
    DataError, EngineError, RunError, ConvergenceError
        With cause and remedy; the run folder keeps what was recorded up to then.
    """
    keep = 2 * request.nodes if request.keep is None else request.keep
    possible = request.nodes * (request.nodes - 1)
    if not 1 <= keep <= possible:
        raise EngineError(
            f"keep: expected 1 to {possible} edges for {request.nodes} nodes, got {keep}"
        )
    return run_job(request, lambda data: _experiment(request, data, keep), listener)


def _experiment(request: NeuralModulesRequest, data: Prepared, keep: int) -> Experiment:
    inputs, outputs = sizes_of(data)
    learning_rate = request.learning_rate
    if learning_rate is None:
        learning_rate = automatic_learning_rate(data.task, request.nodes)
    options = TrainingOptions(
        epochs=request.epochs,
        batch_size=request.batch_size,
        learning_rate=learning_rate,
        momentum=request.momentum,
        seed=request.seed,
    )
    network = NeuralModules(
        inputs,
        outputs,
        nodes=request.nodes,
        activation=request.activation,
        contraction=request.contraction,
        on_failure=request.on_failure,
        seed=request.seed,
    )

    def rule(_: nn.Module, optimizer: torch.optim.Optimizer) -> Repulsion:
        return Repulsion(
            network, optimizer, keep=keep, alpha=request.alpha, penalty=request.penalty
        )

    def figures(final: LearnedNetwork, fitted: Fitted) -> dict[str, Any]:
        modules = module_statistics(final.topology)
        return {
            "edges": final.topology.num_edges,
            "edges_possible": request.nodes * (request.nodes - 1),
            "modules": modules.count,
            "largest_module": modules.largest,
            "module_sizes": list(modules.sizes),
            "converged": fitted.converged,
        }

    return Experiment(
        method="neural-modules",
        label="neural modules",
        options=options,
        train=lambda recorder: (network, recorder.fit(network, options, rule)),
        settings={"keep": keep, "learning_rate": learning_rate},
        figures=figures,
        baseline=lambda: PlainNetwork(
            inputs,
            outputs,
            nodes=request.nodes,
            activation=request.activation,
            seed=request.seed,
        ),
    )
