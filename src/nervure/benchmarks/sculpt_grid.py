"""The grid of neural sculpting: every network of it side by side, against one after the other.

The peer is not run to the end. One round of training takes it as long whatever is masked, so that
one is timed and multiplied by the rounds that the grid has trained. Those that networks have in
common, such as the training of the dense start, count once. What the peer would need besides, to
score and prune, is left out.
"""

from __future__ import annotations

import numpy as np
import torch

from nervure.benchmarks.harness import OURS, Benchmark, Row, Settings, agreement, row_of, timed
from nervure.benchmarks.masked_rounds import masked_network, train_round
from nervure.modules import boolean_task
from nervure.networks import SparseMLP
from nervure.training.sculpting import (
    PAPER_EDGE_STEPS,
    PAPER_UNIT_STEPS,
    Progress,
    Sculpted,
    SculptingOptions,
    Task,
    sculpt,
    sparsest,
)
from nervure.training.sculpting.round_of_many import RoundOfMany
from nervure.training.sculpting.state import NetworkState

# After tens of steps of Adam, whose first divide gradients by their own size.
BOUND = 2e-3
_PLAIN, _FUSED = "one by one", "one by one, fused Adam"
_NAME = "[4, 2, 4]"


def rows(settings: Settings) -> list[Row]:
    """Time the whole grid of steps for the four seeds of one shape of network."""
    sizes = (4, 12, 4) if settings.quick else (4, 36, 36, 4)
    seeds = range(2 if settings.quick else 4)
    options = SculptingOptions(
        epochs=10, batch_size=8, learning_rate=0.05, noise=0.1, threshold=1.0,
        unit_steps=(0.4,) if settings.quick else PAPER_UNIT_STEPS,
        edge_steps=(0.02,) if settings.quick else PAPER_EDGE_STEPS,
    )  # fmt: skip
    x, y = boolean_task(_NAME).truth_table()
    task = Task.of(x, y, x, y, "bits")
    starts = [SparseMLP(sizes, density=1.0, seed=seed).core for seed in seeds]
    plain = masked_network(starts[0], sizes)
    trained: list[Progress] = []

    def grid() -> list[list[Sculpted]]:
        trained.clear()
        return sculpt(starts, task, options, seeds=seeds, on_round=trained.append)

    def one_round(*, fused: bool = False) -> None:
        train_round(plain, task, options, np.random.default_rng(0), fused=fused)

    shape = "-".join(map(str, sizes))
    case = f"{_NAME}, {len(seeds)} networks of {shape}"
    steps = f"{len(options.unit_steps)} x {len(options.edge_steps)} steps"
    error = max(
        _error(case, sizes, SparseMLP(sizes, density=density, seed=0), task, options)
        for density in (1.0, 0.3)
    )
    results = grid()
    count = sum(progress.active for progress in trained)
    times = timed({OURS: grid, _PLAIN: one_round, _FUSED: lambda: one_round(fused=True)}, settings)
    bare = ", ".join(str(sparsest(networks).topology.num_edges) for networks in results)
    notes = (
        f"{count:,} rounds of one network, {len(trained)} side by side; one by one "
        f"{times[_PLAIN]:.1f} ms each, {times[_FUSED]:.1f} with fused Adam; {bare} edges left"
    )
    whole = {name: value * (1 if name == OURS else count) for name, value in times.items()}
    return [row_of(f"{case}, {steps}", whole, max_error=error, notes=notes)]


def _error(
    case: str, sizes: tuple[int, ...], network: SparseMLP, task: Task, options: SculptingOptions
) -> float:
    """Compare what a round of training makes of a network with what the peer does."""
    start = network.core
    theirs = masked_network(start, sizes)
    train_round(theirs, task, options, np.random.default_rng([0, 0]))
    many = RoundOfMany([NetworkState.of(start)], [np.array(start.activation)], [0], task, options)
    many.train(0, scored=False)
    with torch.no_grad():
        ours, peer = many.layer(task.x_validation), theirs(task.x_validation)
    return agreement(f"{case}, outputs after a round", ours, peer, BOUND)


BENCHMARK = Benchmark(
    "sculpt-grid", "a grid of sculpted networks side by side against one after the other", rows
)
