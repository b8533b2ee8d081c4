"""DAGs of convolutional blocks: what thresholding saves, and the memory of a step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nervure.benchmarks import memory
from nervure.benchmarks.harness import OURS, Benchmark, Row, Settings, agreement, row_of, timed
from nervure.networks import BlockDAG
from nervure.topology import Topology, dense_dag, from_edges

_STAGES, _CLASSES, _SIDE = 3, 10, 32
# Live nodes of each stage and edges of the paper's thresholded networks on CMNIST (Tables 1 and 4),
# whose epoch took 21.65 s instead of 151.99 s (Table 3).
_LEFT, _EDGES, _PAPER_RATIO = (4, 3, 6), 23, 151.99 / 21.65
_BOUND = 2e-4


def rows(settings: Settings) -> list[Row]:
    """Compare steps of training, and their memory, with a plain execution and with each other."""
    nodes, channels, batch = (15, 3, 8) if settings.quick else (60, 11, 32)
    full = BlockDAG(dense_dag(nodes), _STAGES, channels, seed=0)
    few = BlockDAG(_sparse(nodes), full.stages, channels, seed=0)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 3, _SIDE, _SIDE, generator=generator)
    y = torch.randint(_CLASSES, (batch,), generator=generator)
    steps = {
        name: _step(network, x, y)
        for name, network in (("full", full), ("few", few), ("plain", _Plain(full)))
    }
    error = max(_disagreement(network, x, y) for network in (full, few))
    case = f"{nodes} nodes, {channels} channels, batch {batch}"
    whole = timed({OURS: steps["full"], "stacked": steps["plain"]}, settings)
    left = timed({OURS: steps["few"], "complete DAG": steps["full"]}, settings)
    return [
        row_of(f"step, complete DAG of {case}", whole, max_error=error),
        row_of(
            f"step, {few.topology.num_edges} edges and {int(few.topology.live.sum())} nodes left",
            left,
            max_error=error,
            notes=f"the paper's ratio for an epoch of CMNIST: {_PAPER_RATIO:.1f}",
        ),
        *_memory_rows(full, x, y, whole[OURS]),
    ]


def _sparse(nodes: int) -> Topology:
    """Give a wiring as sparse as those that were learned for CMNIST."""
    generator = np.random.default_rng(0)
    ends = np.arange(_STAGES + 1) * nodes // _STAGES
    chosen = [0, nodes - 1]
    for stage, count in enumerate(_LEFT):
        inside = np.setdiff1d(np.arange(ends[stage], ends[stage + 1]), chosen)
        # The input and the output are in the first and the last stage.
        wanted = count - (stage in (0, _STAGES - 1))
        chosen += generator.choice(inside, min(wanted, len(inside)), replace=False).tolist()
    kept = np.sort(chosen)
    pairs = np.column_stack(np.triu_indices(len(kept), 1))
    # The path through all of them makes every node live.
    path = pairs[:, 1] - pairs[:, 0] == 1
    others = generator.permutation(np.flatnonzero(~path))[: max(0, _EDGES - int(path.sum()))]
    edges = kept[pairs[np.union1d(np.flatnonzero(path), others)]]
    return from_edges(edges, nodes, inputs=[0], outputs=[nodes - 1])


class _Plain(nn.Module):
    """The same network as it is written down: maps are kept and stacked for each weighted sum."""

    def __init__(self, network: BlockDAG) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Give the outputs, with all maps in memory."""
        network = self.network
        t, stages = network.topology, network.stages
        weight = torch.tanh(network.edge_weight)
        maps: dict[tuple[int, int], Tensor] = {}
        for i in np.lexsort((np.arange(t.num_nodes), t.levels)).tolist():
            if not t.live[i]:
                continue
            row = slice(int(t.indptr[i]), int(t.indptr[i + 1]))
            sources = t.sources[row].tolist()
            if sources:
                stacked = torch.stack([maps[source, int(stages[i])] for source in sources])
                x = (weight[row].view(-1, 1, 1, 1, 1) * stacked).sum(0)
            x = network.blocks[str(i)](x)
            maps[i, int(stages[i])] = x
            for stage in range(int(stages[i]) + 1, _STAGES):
                if f"{i}-{stage}" in network.reductions:
                    maps[i, stage] = network.reductions[f"{i}-{stage}"](x)
        out: Tensor = network.exit(maps[int(t.outputs[0]), _STAGES - 1])
        return out


def _step(network: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    def work() -> None:
        network.zero_grad()
        cross_entropy(network(x), y).backward()

    return work


def _disagreement(network: BlockDAG, x: Tensor, y: Tensor) -> float:
    """Compare outputs and the gradients of the edges with those of the plain execution."""
    found = []
    for one in (network, _Plain(network)):
        network.zero_grad()
        out = one(x)
        cross_entropy(out, y).backward()
        assert network.edge_weight.grad is not None
        found.append((out.detach(), network.edge_weight.grad.clone()))
    (ours, ours_edges), (plain, plain_edges) = found
    return max(
        agreement("outputs", ours, plain, _BOUND),
        # Behind many normalisations a relu close to zero may fall on either side.
        agreement("gradients of the edges", ours_edges, plain_edges, 50 * _BOUND, kinks=True),
    )


def _memory_rows(network: BlockDAG, x: Tensor, y: Tensor, step_ms: float) -> list[Row]:
    """Measure the most memory that a step, and a prediction, takes besides the network."""
    training = {
        "stacked": _peak(_step(_Plain(network), x, y)),
        OURS: _peak(_step(network, x, y)),
    }
    network.recompute = True
    again = _step(network, x, y)
    recomputed = _peak(again)
    slower = timed({OURS: again}, Settings(repeats=2))[OURS] / step_ms
    network.recompute = False
    network.eval()

    def predict(one: nn.Module) -> Callable[[], None]:
        def work() -> None:
            with torch.no_grad():
                one(x)

        return work

    prediction = {"stacked": _peak(predict(_Plain(network))), OURS: _peak(predict(network))}
    network.train()
    out = []
    for case, peaks in (
        ("memory of a step, MiB instead of ms", training),
        ("the same, blocks computed again", training | {OURS: recomputed}),
        ("memory of a prediction, MiB", prediction),
    ):
        known = {name: mib for name, mib in peaks.items() if mib is not None}
        if len(known) == len(peaks):
            notes = f"{slower:.2f} times the time of a step" if "again" in case else None
            out.append(row_of(case, known, notes=notes))
    return out


def _peak(work: Callable[[], None]) -> float | None:
    """Give the MiB that a call adds at its peak; None where the system does not say."""
    work()
    memory.give_back()
    before = memory.resident()
    counted = memory.reset_peak()
    work()
    peak = memory.peak_resident()
    return (peak - before) / 2**20 if counted and before is not None and peak is not None else None


BENCHMARK = Benchmark("block-dag", "a DAG of convolutional blocks, complete and thresholded", rows)
