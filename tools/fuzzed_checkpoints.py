"""Small trainings of every kind that keeps a checkpoint, begun again from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nervure.baselines import PlainNetwork
from nervure.networks import BlockDAG, FreeNet, GraphLayer, NeuralModules, SparseMLP
from nervure.rules import (
    SET,
    CoActivation,
    EdgePruning,
    Repulsion,
    ResourceTradeoff,
    Rule,
    RuleGroup,
)
from nervure.topology import Topology
from nervure.training import Checkpoint, Training, TrainingOptions
from nervure.training.sculpting import SculptingOptions, Task
from nervure.training.sculpting.grid import Grid

_RULES: dict[str, tuple[Callable[[], nn.Module], Callable[..., Rule] | None]] = {
    "none": (lambda: PlainNetwork(4, 3, nodes=5, seed=0), None),
    "Repulsion": (
        lambda: NeuralModules(4, 3, nodes=7, seed=0),
        lambda n, o: Repulsion(n, o, keep=20, alpha=0.05),
    ),
    "RuleGroup": (
        lambda: NeuralModules(4, 3, nodes=7, seed=0),
        lambda n, o: RuleGroup([Repulsion(n, o, keep=20)]),
    ),
    "CoActivation": (
        lambda: FreeNet(4, 3, neurons=7, seed=0),
        lambda n, o: CoActivation(n, o, interval=2, epsilon=0.1),
    ),
    "SET": (
        lambda: SparseMLP([4, 8, 3], density=0.5, seed=0),
        lambda n, o: SET(n, o, interval=2, seed=3),
    ),
    "EdgePruning": (
        lambda: SparseMLP([4, 8, 3], density=1.0, seed=0),
        lambda n, o: EdgePruning(
            n, o, measure=lambda: 1.0, threshold=0.5, step=0.1, interval=1, edges_of_start=56
        ),
    ),
    "ResourceTradeoff": (
        lambda: BlockDAG(Topology.dense_dag(4), 1, 2, inputs=4, outputs=3, node="mlp", seed=0),
        lambda n, o: ResourceTradeoff(n, o, penalty=0.01, interval=2),
    ),
}
_SCULPTING = "sculpting"
CHECKPOINTS = (*_RULES, _SCULPTING)


def write_checkpoint(name: str, path: Path) -> None:
    """Write where a training or a sculpting stands after its beginning."""
    torch.manual_seed(0)
    if name == _SCULPTING:
        grid = _grid()
        grid.train_dense()
        grid.train_round()
        Checkpoint(path, {"sculpting": grid}).save()
        return
    training = _training(name)
    for _ in range(2):
        training.epoch()
    # Times would make another file each time.
    training.fitted.seconds = 0.0
    for metrics in training.fitted.history:
        metrics.update(seconds=0.0, train_seconds=0.0)
    Checkpoint(path, {"training": training}).save()


def restored(name: str, path: Path) -> Callable[[], object]:
    """Begin anew, go on from a file, and give what trains further."""
    if name == _SCULPTING:
        grid = _grid()
        Checkpoint(path, {"sculpting": grid}).restore()
        # A grid of which nothing is active is finished.
        return grid.train_round if grid.active else grid.state_dict
    training = _training(name)
    Checkpoint(path, {"training": training}).restore()
    return training.epoch


def _rows() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((12, 4)).astype(np.float32)
    return x, x[:, :3].argmax(1)


def _training(name: str) -> Training:
    build, rule = _RULES[name]
    x, y = _rows()
    options = TrainingOptions(
        epochs=5, batch_size=6, learning_rate=0.01, optimizer="adam", schedule="cosine"
    )
    return Training(
        build(), x, y, task="classification", options=options, rule=rule, validation=(x, y)
    )


def _grid() -> Grid:
    x, y = _rows()
    start = GraphLayer(
        Topology.layered([4, 5, 3], density=1.0),
        activation=["identity"] * 4 + ["relu"] * 5 + ["identity"] * 3,
        generator=torch.Generator().manual_seed(0),
    )
    options = SculptingOptions(
        epochs=2, unit_steps=(0.2,), edge_steps=(0.2,), threshold=0.0, batch_size=6
    )
    return Grid([start], Task.of(x, y, x, y, "classification"), options, [0])
