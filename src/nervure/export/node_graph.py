"""Any network of single nodes in one form, without what no output depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure import engine
from nervure.baselines import PlainNetwork
from nervure.engine.activations import DEFAULT_LEAK
from nervure.engine.order import sweep_order
from nervure.errors import ExportError
from nervure.networks import FreeNet, GraphLayer, NeuralModules, SparseMLP, single_nodes
from nervure.topology import Topology

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Of constant parts, which are solved once, here, in double precision.
_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class NodeGraph:
    """z = u + b + W a, a = f(z) over the nodes that lie between data and outputs.

    Nodes that do not depend on the data are constants: they are gone, what they gave is in the
    biases. Nodes on which no output depends are gone too.

    Attributes
    ----------
    kind : str
        Class of the network.
    features, outputs : int
        Columns of a row of data, and of what comes out.
    topology : Topology
        Of the nodes left, numbered anew; its inputs are those that data drives.
    weight : ndarray of float64, shape (edges,)
    bias : ndarray of float64, shape (nodes,)
        With that of the encoder.
    codes : ndarray of int64, shape (nodes,)
        Activations, by their place in `nervure.engine.activations.NAMES`.
    order : ndarray of int64, shape (nodes,)
        The nodes as a sweep visits them.
    leak : float
    encoder : ndarray of float64, shape (inputs, features), or None
        Drive of each input of the topology. Without it, each is driven by one feature,
    columns : ndarray of int64, shape (inputs,)
        of this number.
    places : ndarray of int64
        Nodes that the decoder reads; without one, the node of each output, or -1 where it is
        constant.
    decoder : ndarray of float64, shape (outputs, places), or None
    output_bias : ndarray of float64, shape (outputs,)
        Of the decoder; without one, the value of each constant output.
    max_sweeps : int
        Limit of sweeps that the network has.
    numbers : ndarray of int64, shape (nodes,)
        That the nodes have in the network.
    """

    kind: str
    features: int
    outputs: int
    topology: Topology
    weight: Floats
    bias: Floats
    codes: Ints
    order: Ints
    leak: float
    encoder: Floats | None
    columns: Ints
    places: Ints
    decoder: Floats | None
    output_bias: Floats
    max_sweeps: int
    numbers: Ints

    @property
    def num_weights(self) -> int:
        """Weights and biases that a file of this graph holds."""
        dense = [matrix.size for matrix in (self.encoder, self.decoder) if matrix is not None]
        return len(self.weight) + len(self.bias) + sum(dense) + self.outputs


def node_graph(network: nn.Module) -> NodeGraph:
    """Bring a network into the form that everything here writes.

    Parameters
    ----------
    network : GraphLayer, NeuralModules, GraphLinear, FreeNet, SparseMLP or PlainNetwork
        It is not changed.

    Raises
    ------
    ExportError
        If it is none of these, or has weights that are not finite in float32.
    ConvergenceError
        If a part with cycles that does not depend on the data has no equilibrium.
    """
    encoder = decoder = None
    if isinstance(network, PlainNetwork):
        every = np.arange(network.hidden.out_features)
        layer = core = GraphLayer(
            Topology(len(every), np.zeros(len(every) + 1, dtype=np.int32), [], every, every),
            activation=network.activation,
            leak=DEFAULT_LEAK,
        )
        encoder, decoder = network.hidden, network.decoder
    elif isinstance(network, NeuralModules | FreeNet):
        core, layer = network.core, single_nodes(network.core)
        encoder, decoder = network.encoder, network.decoder
    elif isinstance(network, GraphLayer | SparseMLP):
        core = network.core if isinstance(network, SparseMLP) else network
        layer = single_nodes(network)
    else:
        raise ExportError(
            f"cannot write a {type(network).__name__} as single nodes: expected a GraphLayer, "
            "NeuralModules, GraphLinear, FreeNet, SparseMLP or PlainNetwork"
        )
    order = sweep_order(core.topology, core.block)
    graph = _reduced(type(network).__name__, layer, order, encoder, decoder)
    _check_range(graph)
    return graph


def _reduced(
    kind: str, layer: GraphLayer, order: Ints, encoder: nn.Linear | None, decoder: nn.Linear | None
) -> NodeGraph:
    """Fold what is constant, and drop what no output depends on."""
    topology, weight, bias = layer.topology, _array(layer.edge_weight), _array(layer.node_bias)
    inputs, outputs = topology.inputs.astype(np.int64), topology.outputs.astype(np.int64)
    first = last = None
    driven: NDArray[np.bool_] = np.ones(len(inputs), dtype=bool)
    read: NDArray[np.bool_] = np.ones(len(outputs), dtype=bool)
    if encoder is not None:
        first = _array(encoder.weight)
        driven = (first != 0).any(axis=1)
        bias[inputs] += _bias_of(encoder)
    if decoder is not None:
        last = _array(decoder.weight)
        read = (last != 0).any(axis=0)
    roles = topology.with_roles(inputs[driven], outputs[read])
    values = _constants(roles, layer, weight, bias)
    bias += np.bincount(
        topology.targets, weight * values[topology.sources], minlength=topology.num_nodes
    )
    kept = np.flatnonzero(roles.live)
    place = np.full(topology.num_nodes, -1)
    place[kept] = np.arange(len(kept))
    driven &= place[inputs] >= 0
    places, output_bias = place[outputs], values[outputs]
    if last is not None and decoder is not None:
        output_bias = _bias_of(decoder) + last @ values[outputs]
        read &= places >= 0
        last, places = last[:, read], places[read]
    # The numbers of the nodes rise as before, so edges keep their order.
    part = roles.subgraph(kept)
    return NodeGraph(
        kind=kind,
        features=len(inputs) if first is None else first.shape[1],
        outputs=len(output_bias),
        topology=part.with_roles(place[inputs[driven]], np.unique(places[places >= 0])),
        weight=weight[roles.live[topology.sources] & roles.live[topology.targets]],
        bias=bias[kept],
        codes=layer.plan.codes[kept].astype(np.int64),
        order=place[order][place[order] >= 0],
        leak=layer.leak,
        encoder=None if first is None else first[driven],
        columns=np.flatnonzero(driven),
        decoder=last,
        places=places,
        output_bias=output_bias,
        max_sweeps=layer.max_sweeps,
        numbers=kept,
    )


def _constants(roles: Topology, layer: GraphLayer, weight: Floats, bias: Floats) -> Floats:
    """Give the values of the nodes that no input reaches and some output needs; zero elsewhere."""
    every = np.arange(roles.num_nodes)
    reached = roles.with_roles(roles.inputs, every).live
    constant = ~reached & roles.with_roles(every, roles.outputs).live
    values, nodes = np.zeros(roles.num_nodes), np.flatnonzero(constant)
    if len(nodes):
        # Nothing that varies leads into them, so they stand on their own.
        part = roles.subgraph(nodes)
        plan = engine.build_plan(
            part,
            layer.plan.codes[nodes],
            inputs=np.zeros(0, np.int32),
            outputs=np.zeros(0, np.int32),
        )
        solved = engine.sweep(
            plan,
            torch.from_numpy(weight[constant[roles.targets]]),
            torch.zeros(1, 0, dtype=torch.float64),
            torch.from_numpy(bias[nodes]),
            tolerance=_TOLERANCE,
            max_sweeps=10 * layer.max_sweeps,
            leak=layer.leak,
        )
        values[nodes] = solved.values[0].numpy()
    return values


def _array(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().cpu().double().numpy().copy()
    return array


def _bias_of(linear: nn.Linear) -> Floats:
    # torch types a layer without biases as one with.
    bias: Tensor | None = linear.bias
    return np.zeros(linear.out_features) if bias is None else _array(bias)


def _check_range(graph: NodeGraph) -> None:
    for name in ("weight", "bias", "encoder", "decoder", "output_bias"):
        values = getattr(graph, name)
        if values is not None and not (np.abs(values) <= np.finfo(np.float32).max).all():
            raise ExportError(
                f"{name}: expected numbers that are finite in float32, in which networks are "
                "exported; training has diverged, so lower the learning rate"
            )
