"""Random planned graphs for the engine's tests."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import settings

from nervure import Topology, engine
from nervure.engine.activations import NAMES

MIXED = list(NAMES)
# squared relu grows without bound on cycles of any gain
BOUNDED = MIXED[:2] + MIXED[3:]


def fuzzed(examples):
    """Hypothesis settings; NERVURE_FUZZ multiplies the number of examples."""
    return settings(max_examples=examples * int(os.environ.get("NERVURE_FUZZ", "1")), deadline=None)


@dataclass
class Case:
    topology: Topology
    plan: engine.Plan
    weight: torch.Tensor
    bias: torch.Tensor
    drive: torch.Tensor
    activation: list[str]

    def sweep(self, **options):
        return engine.sweep(self.plan, self.weight, self.drive, self.bias, **options)


def make_case(
    *,
    nodes=12,
    edges=40,
    acyclic=False,
    activation="tanh",
    batch=7,
    dtype=torch.float64,
    gain=0.6,
    seed=0,
    roles=True,
):
    rng = np.random.default_rng(seed)
    every = np.arange(nodes)
    chosen = {"inputs": rng.permutation(nodes)[: nodes // 2], "outputs": rng.permutation(nodes)[:5]}
    topology = Topology.erdos_renyi(
        nodes, edges=edges, acyclic=acyclic, seed=seed,
        **(chosen if roles else {"inputs": every, "outputs": every}),
    )  # fmt: skip
    names = [activation] * nodes if isinstance(activation, str) else [
        activation[i % len(activation)] for i in range(nodes)
    ]  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    scale = gain / max(1.0, edges / nodes) ** 0.5 if not acyclic else 0.5
    return Case(
        topology,
        engine.plan(topology, names),
        scale * torch.randn(edges, generator=generator, dtype=dtype),
        0.3 * torch.randn(nodes, generator=generator, dtype=dtype),
        torch.randn(batch, len(topology.inputs), generator=generator, dtype=dtype),
        names,
    )


def unrolled(case, weight, drive, bias, *, sweeps=400):
    """The graph equation by plain torch on dense matrices: an oracle that shares no engine code."""
    t = case.topology
    n = t.num_nodes
    targets = torch.from_numpy(t.targets.astype(np.int64))
    sources = torch.from_numpy(t.sources.astype(np.int64))
    dense = torch.zeros(n, n, dtype=weight.dtype).index_put((targets, sources), weight)
    u = torch.zeros(len(drive), n, dtype=drive.dtype)
    u = u.index_copy(1, torch.from_numpy(t.inputs.astype(np.int64)), drive)
    functions = {
        "identity": lambda z: z,
        "relu": torch.relu,
        "squared_relu": lambda z: torch.relu(z) ** 2,
        "leaky_relu": lambda z: torch.nn.functional.leaky_relu(z, 0.01),
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "gelu": torch.nn.functional.gelu,
        "silu": torch.nn.functional.silu,
    }
    a = torch.zeros_like(u)
    for _ in range(sweeps):
        z = u + bias + a @ dense.T
        a = torch.stack([functions[name](z[:, i]) for i, name in enumerate(case.activation)], 1)
    return a[:, torch.from_numpy(t.outputs.astype(np.int64))]


def case_on(
    topology,
    *,
    block=1,
    activation=BOUNDED,
    batch=5,
    dtype=torch.float64,
    gain=0.5,
    seed=0,
    **roles,
):
    """A case on a given topology; the weights of cycles contract."""
    nodes = topology.num_nodes * block
    names = [activation] * nodes if isinstance(activation, str) else [
        activation[i % len(activation)] for i in range(nodes)
    ]  # fmt: skip
    plan = engine.plan(topology, names, block=block, **roles)
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(plan.weights, generator=generator, dtype=torch.float64)
    fan_in = np.repeat(topology.in_degree[topology.targets], block * block) * block
    bias = 0.3 * torch.randn(nodes, generator=generator, dtype=torch.float64)
    drive = torch.randn(batch, plan.num_inputs, generator=generator, dtype=torch.float64)
    weight *= gain / torch.from_numpy(np.sqrt(fan_in))
    return Case(topology, plan, weight.to(dtype), bias.to(dtype), drive.to(dtype), names)


def solved(case, **options):
    """Output, and gradients of weight, drive and bias in a direction that is the same each time."""
    leaves = [t.detach().requires_grad_(True) for t in (case.weight, case.drive, case.bias)]
    weight, drive, bias = leaves
    output = engine.sweep(case.plan, weight, drive, bias, **options).output
    direction = torch.cos(torch.arange(output.shape[1], dtype=output.dtype) + 1)
    return (output.detach(), *torch.autograd.grad((output * direction).sum(), leaves))


def assert_same(found, expected, dtype=torch.float64):
    """All tensors close, as far as the dtype goes."""
    bound = {"rtol": 1e-8, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-4}
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, **bound)


def turning(*, nodes=40, edges=160, loops=3, block=1, seed=0, strength=1.6, gain=0.3, **options):
    """A case with loops of two nodes, weights strength and -strength: sweeps circle there."""
    random = Topology.erdos_renyi(nodes, edges=edges, seed=seed).edges.tolist()
    forth = [(2 * i, 2 * i + 1) for i in range(loops)]
    back = [(b, a) for a, b in forth]
    every = np.arange(nodes)
    topology = Topology.from_edges(
        sorted({*map(tuple, random), *forth, *back}), nodes, inputs=every, outputs=every
    )
    roles = {"inputs": np.arange(nodes * block), "outputs": np.arange(nodes * block)}
    case = case_on(topology, block=block, gain=gain, seed=seed, **roles, **options)
    blocks = case.weight.view(-1, block, block)
    turn = strength * torch.eye(block, dtype=case.weight.dtype)
    for edge, pair in enumerate(map(tuple, topology.edges.tolist())):
        if pair in forth or pair in back:
            blocks[edge] = turn if pair in forth else -turn
    return case
