"""A network node by node: its wiring, and the value of every node for given inputs."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nervure import engine
from nervure.engine.activations import activation_codes
from nervure.errors import EngineError
from nervure.networks.from_module import parts_of, topology_of_module
from nervure.networks.graph_layer import GraphLayer
from nervure.networks.sparse_mlp import SparseMLP
from nervure.topology import Topology

_ANY = "a GraphLayer, a SparseMLP or an nn.Sequential of linear layers"


def single_nodes(network: nn.Module) -> GraphLayer:
    """Give the same network as one layer of single nodes, its inputs those of the data.

    Parameters
    ----------
    network : GraphLayer or SparseMLP
        Also with dense storage, with blocks of nodes, tied ones too.

    Returns
    -------
    GraphLayer
        A copy with sparse storage and no blocks. Nodes that only fill up a block are kept, without
        a role.

    Raises
    ------
    EngineError
        If it is no such network, or maps the data to its nodes first, as NeuralModules and FreeNet
        do.

    Notes
    -----
    O(nodes * block + edges * block^2).

    Examples
    --------
    >>> from nervure import SparseMLP
    >>> from nervure.networks import single_nodes
    >>> single_nodes(SparseMLP([4, 6, 3], motif_size=2, seed=0)).topology
    Topology(nodes=14, edges=48, density=0.264, inputs=4, outputs=3, acyclic)
    """
    core = network.core if isinstance(network, SparseMLP) else network
    if not isinstance(core, GraphLayer):
        raise EngineError(
            f"expected {_ANY}, whose inputs are those of the data, got {type(network).__name__}"
        )
    inputs, m = core.plan.inputs, core.block
    if isinstance(network, SparseMLP):
        inputs = inputs[: network.sizes[0]]
    topology = core.topology.expanded(m).with_roles(inputs, core.plan.outputs)
    weights = core.edge_weight
    if m > 1:
        # Kept as (edge between blocks, target, source); a node's edges are whole rows of those into
        # its block, in their order.
        target = topology.targets.astype(np.int64)
        within = np.arange(topology.num_edges) - topology.indptr[target]
        edge = core.topology.indptr[target // m] + within // m
        place = torch.from_numpy((edge * m + target % m) * m + within % m)
        weights = weights[place.to(weights.device)]
    layer = GraphLayer(
        topology,
        activation=core.activation,
        input_bias=core.input_bias,
        tolerance=core.tolerance,
        max_sweeps=core.max_sweeps,
        leak=core.leak,
        # Drawn from a generator of its own, and replaced below.
        generator=torch.Generator(),
        dtype=weights.dtype,
    )
    with torch.no_grad():
        layer.weight.copy_(weights)
        assert layer.bias is not None
        layer.bias.copy_(core.node_bias)
    return layer.train(network.training)


def node_topology(network: nn.Module) -> Topology:
    """Give the wiring of a network's nodes, inputs and outputs those of the data.

    Parameters
    ----------
    network : GraphLayer, SparseMLP, or torch.nn.Sequential of linear layers

    Returns
    -------
    Topology
        Of single nodes, also where the network wires blocks of them.

    Raises
    ------
    EngineError, TopologyError
        If it is no such network.

    Examples
    --------
    >>> import torch
    >>> from nervure.networks import node_topology
    >>> node_topology(torch.nn.Linear(3, 2))
    Topology(nodes=5, edges=6, density=0.3, inputs=3, outputs=2, acyclic)
    """
    if isinstance(network, nn.Sequential | nn.Linear):
        return topology_of_module(network)
    return single_nodes(network).topology


def node_values(network: nn.Module, x: Tensor) -> Tensor:
    """Give the value of every node for a batch, in double precision, as in evaluation.

    Parameters
    ----------
    network : GraphLayer, SparseMLP, or torch.nn.Sequential of linear layers
        As for `node_topology`. It is not changed.
    x : Tensor, shape (batch, inputs)

    Returns
    -------
    Tensor of float64, shape (batch, nodes)
        Nodes as `node_topology` numbers them. Outputs that nothing reads are given before their
        activation (and what follows the last linear layer of a sequence), so that above 0 means
        yes.

    Raises
    ------
    EngineError, TopologyError
        If it is no such network, or `x` has another number of columns.
    ConvergenceError
        If the network has cycles and no equilibrium is found.

    Notes
    -----
    One sweep.

    Examples
    --------
    >>> import torch
    >>> from nervure.networks import node_values
    >>> net = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Sigmoid())
    >>> with torch.no_grad():
    ...     _ = net[0].weight.fill_(2.0), net[0].bias.fill_(-1.0)
    >>> node_values(net, torch.tensor([[0.0], [1.0]])).tolist()
    [[0.0, -1.0], [1.0, 1.0]]
    """
    rows = x.detach().cpu().double()
    with torch.no_grad():
        if isinstance(network, nn.Sequential | nn.Linear):
            return _of_sequence(network, rows)
        layer = single_nodes(network)
        topology = layer.topology
        codes = layer.plan.codes.copy()
        unread = topology.outputs[topology.out_degree[topology.outputs] == 0]
        codes[unread] = activation_codes("identity", 1)
        plan = engine.build_plan(topology, codes, input_bias=layer.input_bias)
        found = engine.sweep(
            plan,
            layer.edge_weight.double(),
            rows,
            layer.node_bias.double(),
            tolerance=layer.tolerance,
            max_sweeps=layer.max_sweeps,
            leak=layer.leak,
        )
    return found.values


def _of_sequence(network: nn.Module, rows: Tensor) -> Tensor:
    topology = topology_of_module(network)
    if rows.shape[1:] != (len(topology.inputs),):
        raise EngineError(
            f"expected rows of {len(topology.inputs)} inputs, got shape {tuple(rows.shape)}"
        )
    values: list[Tensor] = []
    now = rows
    for _, part in parts_of(network):
        if isinstance(part, nn.Linear):
            values.append(now)
            bias = None if part.bias is None else part.bias.cpu().double()
            now = last = functional.linear(now, part.weight.cpu().double(), bias)
        else:
            # A copy, so that neither its mode nor its precision changes.
            now = copy.deepcopy(part).cpu().double().eval()(now)
    return torch.cat([*values, last], dim=1)
