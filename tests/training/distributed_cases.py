"""What two processes train in test_distributed.py, and one process as well; and the two processes.

    python distributed_cases.py RANK FOLDER

Everything is float64, so that other orders of sums show in the last digits only.
"""

import sys
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional

from nervure import FreeNet, GraphLayer, NeuralModules, SparseMLP, Topology
from nervure.networks import BlockDAG, GraphLinear
from nervure.rules import (
    SET,
    CoActivation,
    EdgePruning,
    MagnitudePruning,
    Repulsion,
    ResourceTradeoff,
    RigL,
    RuleGroup,
    UnitPruning,
)
from nervure.training import DistributedNetwork, DistributedRule

INPUTS, CLASSES, ROWS = 8, 3, 24


def batches(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, ROWS, INPUTS, generator=generator, dtype=torch.float64)
    return [(rows, (rows[:, :CLASSES] + rows[:, CLASSES : 2 * CLASSES]).argmax(1)) for rows in x]


VALIDATION = batches(1, seed=1)[0]


def split(rows, first):
    """Give the part of a process, or everything to one that is alone."""
    if not dist.is_initialized():
        return rows
    return rows[:first] if dist.get_rank() == 0 else rows[first:]


def accuracy(network):
    x, y = (split(part, ROWS // 2) for part in VALIDATION)
    network.eval()
    with torch.no_grad():
        found = float((network(x).argmax(1) == y).double().mean())
    network.train()
    return found


def units(network, optimizer):
    x, y = (split(part, ROWS // 3) for part in VALIDATION)
    return UnitPruning(
        network, optimizer, data=x, measure=partial(accuracy, network), threshold=0.0, interval=4,
        loss=lambda out: functional.cross_entropy(out, y, reduction="none"), step=0.3,
    )  # fmt: skip


def edges(network, optimizer):
    return EdgePruning(
        network, optimizer, measure=partial(accuracy, network), threshold=0.3, interval=3, step=0.3
    )


def co_active(network, optimizer):
    return CoActivation(network, optimizer, epsilon=0.6, interval=4)


def co_active_on_data(network, optimizer):
    data = split(VALIDATION[0], ROWS // 3)
    return CoActivation(network, optimizer, epsilon=0.6, interval=4, data=data)


def two_graphs(seed):
    return nn.Sequential(
        GraphLinear(INPUTS, 6, nodes=10, seed=seed), GraphLinear(6, CLASSES, nodes=8, seed=seed + 1)
    )


def each_repelled(network, optimizer):
    return RuleGroup(Repulsion(layer, optimizer, keep=20) for layer in network)


def two_freenets(seed):
    return nn.Sequential(
        FreeNet(INPUTS, 6, neurons=10, seed=seed), FreeNet(6, CLASSES, neurons=10, seed=seed + 1)
    )


def each_co_active(network, optimizer):
    return RuleGroup(co_active(part, optimizer) for part in network)


def layered(seed):
    generator = torch.Generator().manual_seed(seed)
    wiring = Topology.layered([INPUTS, 12, CLASSES])
    return GraphLayer(wiring, activation="tanh", generator=generator)


class Plain(nn.Module):
    """A block without normalisation, which would be over the rows of a process."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        del stride
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.linear(x).tanh()


def block_dag(seed, block=Plain):
    dag = BlockDAG(
        Topology.dense_dag(6), 2, 5, inputs=INPUTS, outputs=CLASSES, seed=seed,
        node=block, reduce=block, entry=block,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    nn.init.normal_(dag.edge_weight, std=0.3, generator=generator)
    return dag


SGD = partial(torch.optim.SGD, lr=0.2, momentum=0.9, weight_decay=1e-3)
ADAM = partial(torch.optim.Adam, lr=0.02)


@dataclass(frozen=True)
class Case:
    network: object
    rule: object
    optimizer: object = SGD
    first: int = ROWS // 2  # rows of process 0
    steps: int = 12


repelled = partial(Repulsion, keep=60, alpha=0.01)
priced = partial(ResourceTradeoff, penalty=0.01, threshold=0.1, edge_rate=2, prune_at=6)
modules = partial(NeuralModules, INPUTS, CLASSES, nodes=20)
freenet = partial(FreeNet, INPUTS, CLASSES, neurons=15)
sparse_mlp = partial(SparseMLP, [INPUTS, 12, 12, CLASSES], density=0.5, output_layer="dense")
motifs = partial(SparseMLP, [INPUTS, 12, 12, 4], density=0.5, motif_size=2)
set_ = partial(SET, interval=3, new_weight="fan_in")
rigl = partial(RigL, interval=3, end=12)
magnitude = partial(MagnitudePruning, keep=0.4, end=10, interval=2)

CASES = {
    "NeuralModules, Repulsion": Case(modules, repelled),
    "NeuralModules, Repulsion, Adam": Case(modules, repelled, ADAM),
    "NeuralModules, contraction, Repulsion": Case(partial(modules, contraction=0.9), repelled),
    "two GraphLinear, RuleGroup": Case(two_graphs, each_repelled),
    "two FreeNets, RuleGroup": Case(two_freenets, each_co_active),
    "FreeNet, CoActivation": Case(freenet, co_active, ADAM),
    "FreeNet, CoActivation on data": Case(freenet, co_active_on_data),
    "FreeNet, UnitPruning": Case(freenet, units),
    "SparseMLP, SET": Case(sparse_mlp, set_),
    "SparseMLP of motifs, SET": Case(motifs, set_, ADAM),
    "SparseMLP, RigL": Case(sparse_mlp, rigl),
    "SparseMLP, RigL, unequal shares": Case(sparse_mlp, rigl, first=5),
    "SparseMLP, RigL, a process without rows": Case(sparse_mlp, rigl, ADAM, first=0),
    "SparseMLP, MagnitudePruning": Case(sparse_mlp, magnitude),
    "SparseMLP, EdgePruning": Case(sparse_mlp, edges, steps=18),
    "layered GraphLayer, ResourceTradeoff": Case(layered, priced, first=7),
    "BlockDAG, ResourceTradeoff": Case(block_dag, priced),
    "BlockDAG, ResourceTradeoff, unequal shares": Case(block_dag, priced, ADAM, first=20),
}


def made(case, seed=0):
    """Build the plain network, what is trained, optimizer and rule; of several processes if so."""
    torch.manual_seed(seed)
    plain = network = case.network(seed=seed).double()
    if dist.is_initialized():
        network = DistributedNetwork(plain)
    optimizer = case.optimizer(network.parameters())
    draws = {"seed": seed} if getattr(case.rule, "func", None) in (SET, RigL) else {}
    rule = case.rule(plain, optimizer, **draws)
    if network is not plain:
        rule = DistributedRule(rule, network)
    return plain, network, optimizer, rule


def backward(case, network, x, y):
    loss = functional.cross_entropy(network(split(x, case.first)), split(y, case.first))
    loss.backward()


def train(case, seed=0, stop=None):
    """Train, and give the wirings after each step and the state at the end.

    At the step `stop` everything is made anew and goes on from its state.
    """
    plain, network, optimizer, rule = made(case, seed)
    wirings = []
    for step, (x, y) in enumerate(batches(case.steps)):
        if step == stop:
            states = [part.state_dict() for part in (plain, optimizer, rule)]
            rule.detach()
            plain, network, optimizer, rule = made(case, seed)
            for part, state in zip((plain, optimizer, rule), states, strict=True):
                part.load_state_dict(state)
        optimizer.zero_grad()
        backward(case, network, x, y)
        if network is not plain:
            network.synchronise()
        optimizer.step()
        wirings.append(hash(rule.step().after))
    return wirings, plain.state_dict()


# -- what goes wrong -----------------------------------------------------------------------------


def message_of(action):
    try:
        action()
    except (RuntimeError, ArithmeticError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def raising(*_):
    raise ArithmeticError("not here")


def failures(rank):
    """Give the message of one process for each kind of failure, after which all go on."""
    case = CASES["SparseMLP, SET"]
    x, y = batches(1)[0]
    plain, network, optimizer, rule = made(case)

    def step():
        backward(case, network, x, y)
        network.synchronise()

    messages = {}
    backward(case, network, x, y)
    messages["not averaged"] = message_of(rule.step)
    network.synchronise()

    hook = plain.core.register_forward_pre_hook(raising) if rank == 1 else None
    messages["a pass fails"] = message_of(step)
    if hook is not None:
        hook.remove()

    messages["out of step"] = message_of(network.check if rank == 1 else network.synchronise)

    rule.rule.schedule = Failing() if rank == 0 else rule.rule.schedule
    messages["a rule fails"] = message_of(lambda: (rule.step(), step()))

    if rank == 1:
        plain.core.rewire_(plain.topology.keep(np.arange(plain.topology.num_edges) > 0), optimizer)
    messages["another wiring"] = message_of(step)

    _, network, _, rule = made(case)
    if rank == 1:
        with torch.no_grad():
            network.module.core.weight[-1] += 1e-12  # of the layer that is never rewired
    messages["another weight"] = message_of(lambda: [rule.step() for _ in range(3)])

    network = DistributedNetwork(nn.Linear(INPUTS, CLASSES).double())
    network(x[:0]).sum().backward()
    messages["no rows"] = message_of(network.synchronise)

    wide = nn.Linear(INPUTS, CLASSES + rank)
    messages["built otherwise"] = message_of(lambda: DistributedNetwork(wide))
    return messages


class Failing:
    """A schedule that fails."""

    share = raising


class Either(nn.Module):
    """Uses one of three layers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(INPUTS, 1) for _ in range(3))

    def forward(self, x, which):
        return self.layers[which](x)


def gradients(rank):
    """Give gradients that are there in some processes, and those of two passes."""
    x = batches(1)[0][0]
    torch.manual_seed(rank)
    network = DistributedNetwork(Either().double())
    network(split(x, 6), which=rank).square().mean().backward()
    network.synchronise()
    found = {"either": [each.grad for each in network.parameters()]}

    for times in ("each", "last"):
        network.zero_grad()
        for part in x.split(ROWS // 2):
            network(split(part, 4), 0).square().mean().backward()
            if times == "each":
                network.synchronise()
        network.synchronise()
        found[times] = network.module.layers[0].weight.grad.clone()

    network.zero_grad()
    factor = network.module.layers[1].weight.sum()
    (network(split(x, 0), 0).mean() * factor).backward()  # process 0: a mean of nothing, NaN
    network.synchronise()
    found["no rows"] = network.module.layers[1].weight.grad
    return {"start": network.module.state_dict(), **found}


def buffers(rank):
    """Give running statistics after passes over different rows."""
    network = DistributedNetwork(block_dag(rank, block="mlp").double())
    for x, _ in batches(3):
        network(split(x, ROWS // 2)).square().mean().backward()
        network.synchronise()
    return dict(network.module.named_buffers())


def main(rank, folder):
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2,
        timeout=timedelta(seconds=60),
    )  # fmt: skip
    # Seeds differ: what process 0 has is taken up.
    found = {name: train(case, seed=5 * rank) for name, case in CASES.items()}
    # Between two updates, when each process has seen rows of its own.
    found["resumed"] = train(CASES["FreeNet, CoActivation"], stop=6)
    found["gradients"], found["buffers"] = gradients(rank), buffers(rank)
    found["failures"] = failures(rank)
    if rank == 0:
        network = DistributedNetwork(nn.Linear(INPUTS, 1))
        network(torch.ones(1, INPUTS)).sum().backward()
        found["failures"]["the other ended"] = message_of(network.synchronise)
    else:
        DistributedNetwork(nn.Linear(INPUTS, 1))
    torch.save(found, Path(folder) / f"{rank}.pt")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
