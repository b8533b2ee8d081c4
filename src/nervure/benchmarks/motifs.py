"""Time per weight of a training step, wired in blocks of 1, 2, 4 and 8 nodes.

The network of ``sparse-step``, its layers wired at random block by block: the expected number of
weights is the same for every size of block. Timed is the layer alone, for a given gradient of its
outputs, without loss and optimizer.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nervure.benchmarks.blocks import in_node_order
from nervure.benchmarks.harness import OURS, Benchmark, Row, Settings, agreement, row_of, timed
from nervure.engine import native
from nervure.engine.native import Solver
from nervure.networks import GraphLayer, SparseMLP

SINGLE = "single edges"
BLOCKS = (1, 2, 4, 8)
BOUND = 1e-4
# Of the norm of gradients, where single relus may fall on the other side of zero.
KINKS = 5e-3


def rows(settings: Settings) -> list[Row]:
    """Time each pass of the engine, their sum, and forward and backward by autograd."""
    sizes = [24, 32, 32, 5] if settings.quick else [784, 3000, 3000, 3000, 10]
    epsilon = 3.0 if settings.quick else 20.0
    batch = 16 if settings.quick else 128
    generator = torch.Generator().manual_seed(0)
    drive = torch.randn(batch, sizes[0], generator=generator)
    gradient = torch.randn(batch, sizes[-1], generator=generator)
    layers = {
        block: SparseMLP(sizes, epsilon=epsilon, motif_size=block, seed=0).core for block in BLOCKS
    }
    for layer in layers.values():
        layer.backend = "native"
    errors = {block: _checked(layer, drive, gradient) for block, layer in layers.items()}
    # All sizes in turns, so that they share what disturbs the machine.
    passes = {block: _passes(layer, drive, gradient) for block, layer in layers.items()}
    times = {
        what: timed({str(block): passes[block][what] for block in BLOCKS}, settings)
        for what in passes[1]
    }
    times["the three passes"] = {
        str(block): sum(times[what][str(block)] for what in times) for block in BLOCKS
    }
    times["step with autograd"] = timed(
        {str(block): _step(layer, drive, gradient) for block, layer in layers.items()}, settings
    )
    found = []
    for block in BLOCKS[1:]:
        weights, single = layers[block].plan.weights, layers[1].plan.weights
        for what, measured in times.items():
            ours, theirs = 1e6 * measured[str(block)] / weights, 1e6 * measured["1"] / single
            found.append(
                row_of(
                    f"blocks of {block}, {what}",
                    {OURS: measured[str(block)], SINGLE: measured["1"]},
                    max_error=errors[block],
                    notes=f"{ours:.3g} ns for each of {weights:,} weights against {theirs:.3g} for "
                    f"each of {single:,}: {100 * (ours / theirs - 1):+.1f} %",
                )
            )
    return found


def _checked(layer: GraphLayer, drive: Tensor, gradient: Tensor) -> float:
    """Compare outputs and gradients with those of the same network wired edge by edge."""
    block, coarse = layer.block, layer.topology
    single = GraphLayer(
        coarse.expanded(block),
        activation=layer.activation,
        inputs=layer.plan.inputs,
        outputs=layer.plan.outputs,
        backend="native",
    )
    with torch.no_grad():
        single.weight.copy_(in_node_order(coarse, layer.weight, block))
    what = f"blocks of {block}"
    ours, theirs = layer(drive), single(drive)
    ours.backward(gradient)
    theirs.backward(gradient)
    found = [agreement(f"{what}, outputs", ours, theirs, BOUND)]
    for name in ("weight", "bias"):
        mine, other = getattr(layer, name).grad, getattr(single, name).grad
        mine = in_node_order(coarse, mine, block) if name == "weight" else mine
        found.append(agreement(f"{what}, gradients of the {name}s", mine, other, KINKS, kinks=True))
    return max(found)


def _passes(layer: GraphLayer, drive: Tensor, gradient: Tensor) -> dict[str, Callable[[], object]]:
    """Give the engine's work in a training step, pass by pass."""
    plan, weight = layer.plan, layer.weight.detach()
    bias = None if layer.bias is None else layer.bias.detach()
    solver = Solver(1e-4, 1, layer.leak)
    solved = native.forward(plan, drive, weight, bias, solver)
    _, delta, _ = native.adjoint(
        plan, gradient, weight, solved.state, solved.slope, None, solver, need_drive=False
    )
    return {
        "forward": lambda: native.forward(plan, drive, weight, bias, solver),
        "adjoint": lambda: native.adjoint(
            plan, gradient, weight, solved.state, solved.slope, None, solver, need_drive=False
        ),
        "gradient": lambda: native.edge_gradient(plan, solved.state, delta),
    }


def _step(layer: GraphLayer, drive: Tensor, gradient: Tensor) -> Callable[[], None]:
    def work() -> None:
        layer.zero_grad()
        layer(drive).backward(gradient)

    return work


BENCHMARK = Benchmark(
    "motifs", "time per weight of a training step, wired in blocks against single edges", rows
)
