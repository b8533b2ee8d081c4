"""Networks of every kind, and random graphs whose cycles are solved by sweeps."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

from nervure import FreeNet, GraphLayer, NeuralModules, SparseMLP, Topology
from nervure.baselines import PlainNetwork
from nervure.engine.activations import NAMES
from nervure.networks import GraphLinear

checked = settings(deadline=None, max_examples=60)
# Squared ReLU grows without bound on cycles.
ON_CYCLES = [name for name in NAMES if name != "squared_relu"]
# Slopes are at most 1.13: then a sweep shrinks distances to 0.8 at least.
_ROW_SUM = 0.7


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def every(count):
    return np.arange(count)


def contractive_(layer):
    """Scale all weights so that cycles contract in the largest norm."""
    weight = layer.edge_weight.abs().double()
    m = layer.block
    rows = weight.view(-1, m, m).sum(2)
    sums = torch.zeros(layer.topology.num_nodes, m, dtype=torch.float64)
    sums.index_add_(0, torch.from_numpy(layer.topology.targets.astype(np.int64)), rows)
    with torch.no_grad():
        layer.weight.mul_(min(1.0, _ROW_SUM / max(float(sums.max()), 1e-9)))
    return layer


def exact_outputs(network, x):
    """What the network gives, in double precision and solved far beyond any export."""
    network = copy.deepcopy(network).double().eval()
    core = getattr(network, "core", network)
    if isinstance(core, GraphLayer):
        core.tolerance, core.max_sweeps = 1e-12, 5000
    with torch.no_grad():
        return network(x.double()).numpy()


@dataclass
class Case:
    network: torch.nn.Module
    x: torch.Tensor

    @property
    def expected(self):
        return exact_outputs(self.network, self.x)


@st.composite
def layers(draw, max_nodes=9):
    """A `GraphLayer` on any graph, with any roles, activations and blocks."""
    n = draw(st.integers(1, max_nodes))
    nodes = st.integers(0, n - 1)
    pairs = draw(st.sets(st.tuples(nodes, nodes), max_size=3 * n))
    if draw(st.booleans()):
        pairs = {(min(pair), max(pair)) for pair in pairs}
    roles = st.lists(nodes, unique=True, min_size=1, max_size=n)
    topology = Topology.from_edges(
        [(source, target) for source, target in pairs if source != target],
        n,
        inputs=draw(roles),
        outputs=draw(roles),
    )
    known = NAMES if topology.is_acyclic else ON_CYCLES
    some = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
    block = draw(st.sampled_from([1, 1, 2]))
    seed = draw(st.integers(0, 10**6))
    layer = contractive_(
        GraphLayer(
            topology,
            activation=[some[i % len(some)] for i in range(n * block)],
            block=block,
            storage=draw(st.sampled_from(["sparse", "dense"])) if block == 1 else "sparse",
            leak=draw(st.sampled_from([0.01, 0.3])),
            generator=seeded(seed),
        )
    )
    with torch.no_grad():
        bias = torch.randn(n * block, generator=seeded(seed + 1)) * draw(st.sampled_from([0, 0.5]))
        if layer.bias is None:
            layer.weight.diagonal().copy_(bias)
        else:
            layer.bias.copy_(bias)
    return Case(layer, torch.randn(4, layer.plan.num_inputs, generator=seeded(seed + 2)))


@st.composite
def encoded(draw, max_nodes=9):
    """`NeuralModules`, `GraphLinear` or `FreeNet`, some of their dense weights zero."""
    n = draw(st.integers(2, max_nodes))
    kind = draw(st.sampled_from([NeuralModules, GraphLinear, FreeNet]))
    nodes = st.integers(0, n - 1)
    pairs = {p for p in draw(st.sets(st.tuples(nodes, nodes), max_size=3 * n)) if p[0] != p[1]}
    seed = draw(st.integers(0, 10**6))
    order = every(n)
    if kind is FreeNet:
        pairs = {(min(pair), max(pair)) for pair in pairs}
    else:
        order = np.random.default_rng(seed).permutation(n)
    topology = Topology.from_edges(sorted(pairs), n, inputs=order, outputs=order[::-1])
    if kind is FreeNet:
        topology = topology.with_roles(every(n), every(n))
    activation = draw(st.sampled_from(NAMES if topology.is_acyclic else ON_CYCLES))
    if kind is FreeNet:
        network = FreeNet(3, 2, neurons=n, activation=activation, topology=topology, seed=seed)
    else:
        network = kind(3, 2, nodes=n, activation=activation, topology=topology, seed=seed)
        if draw(st.booleans()):
            network = network.compact()
    contractive_(network.core)
    with torch.no_grad():
        for weight in (network.encoder.weight, network.decoder.weight.T):
            for node in draw(st.sets(nodes, max_size=n)):
                weight[node] = 0
    return Case(network, torch.randn(4, 3, generator=seeded(seed + 2)))


def layered_mlp(seed=0, **options):
    """A `SparseMLP` with biases."""
    network = SparseMLP(options.pop("sizes", [12, 20, 16, 3]), epsilon=4, seed=seed, **options)
    with torch.no_grad():
        hidden = network.core.bias[network.widths[0] * network.motif_size :]
        hidden.normal_(generator=seeded(seed))
    return network


def modules(nodes=30, edges=70, seed=0, **options):
    """`NeuralModules` on a random sparse graph with cycles."""
    topology = Topology.erdos_renyi(
        nodes, edges=edges, seed=seed, inputs=every(nodes), outputs=every(nodes)
    )
    network = NeuralModules(12, 3, nodes=nodes, topology=topology, seed=seed, **options)
    contractive_(network.core)
    return network


def of_every_kind():
    """Name and case of each kind of network that a model file can hold, but for blocks."""
    networks = {
        "NeuralModules": modules(),
        "NeuralModules, compact": modules().compact(),
        "GraphLinear": GraphLinear(12, 3, topology=modules().topology, seed=0),
        "FreeNet": FreeNet(12, 3, neurons=15, seed=0),
        "SparseMLP": layered_mlp(),
        "SparseMLP, motifs": layered_mlp(motif_size=4),
        "SparseMLP, tied motifs": layered_mlp(motif_size=4, tied=True),
        "SparseMLP, padded": layered_mlp(sizes=[12, 20, 15, 4], motif_size=5, pad=True),
        "PlainNetwork": PlainNetwork(12, 3, nodes=20, seed=0),
    }
    x = torch.randn(7, 12, generator=seeded(5))
    return {name: Case(network, x) for name, network in networks.items()}


def long_ring(nodes, activation):
    """A ring whose sweeps of one node after the other contract, of all at once hardly."""
    edges = [(i, (i + 1) % nodes) for i in range(nodes)]
    topology = Topology.from_edges(edges, nodes, inputs=every(nodes), outputs=every(nodes))
    layer = GraphLayer(topology, activation=activation, generator=seeded())
    with torch.no_grad():
        # 0.8 around the ring: a sweep takes that off an error.
        layer.weight.fill_(0.8 ** (1 / nodes))
    return Case(layer, torch.randn(8, nodes, generator=seeded()).abs())


def turning(activation="tanh", seed=0):
    """Cycles of which some loops of two nodes have weights 1.6 and -1.6: sweeps circle there."""
    random = Topology.erdos_renyi(40, edges=160, seed=seed).edges.tolist()
    forth = [(0, 1), (2, 3), (4, 5)]
    back = [(b, a) for a, b in forth]
    pairs = sorted({*map(tuple, random), *forth, *back})
    topology = Topology.from_edges(pairs, 40, inputs=every(40), outputs=every(40))
    layer = contractive_(GraphLayer(topology, activation=activation, generator=seeded(seed)))
    with torch.no_grad():
        for edge, pair in enumerate(map(tuple, topology.edges.tolist())):
            if pair in forth or pair in back:
                layer.weight[edge] = 1.6 if pair in forth else -1.6
    x = 0.3 * torch.randn(20, 40, generator=seeded(seed))
    with torch.no_grad():
        layer(x)
    assert layer.status.recovered
    return Case(layer, x)
