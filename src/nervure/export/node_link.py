"""The graph of a network for other tools: NetworkX, GraphML, JSON."""

from __future__ import annotations

import json
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nervure.errors import ExportError
from nervure.export.signature import Signature
from nervure.export.writing import write_file
from nervure.networks import BlockDAG, FreeNet, GraphLayer, NeuralModules, SparseMLP, single_nodes
from nervure.topology import Topology


def to_networkx(network: nn.Module, *, signature: Signature | None = None) -> nx.DiGraph:
    """Give the graph of a network with all its numbers.

    Parameters
    ----------
    network : GraphLayer, NeuralModules, GraphLinear, FreeNet, SparseMLP or BlockDAG
        It is not changed. Of blocks of nodes, the nodes are given.
    signature : Signature, optional
        Names of features and classes, which inputs and outputs are called by where they are those
        of the data.

    Returns
    -------
    networkx.DiGraph
        As `nervure.topology.to_networkx` gives it: nodes 0, 1, ... with ``role``, ``component``,
        ``level``, ``input_position`` and ``output_position``, edges with ``weight``. Besides, each
        node has ``bias``, ``activation`` and, in a component with cycles, ``module``, the number of
        that component among these; inputs and outputs that are those of the data may have
        ``feature`` and ``output``, their names. Nodes of a BlockDAG have ``block`` and ``stage``
        instead; the weight of an edge is the factor of its feature map, tanh included.

        The graph has the attributes ``network`` and, where there are any, ``encoder`` and
        ``decoder``, which say what of the network is *not* in it: a linear layer before or behind
        is a full matrix, and no edges.

    Raises
    ------
    ExportError
        If the network is of another kind: a PlainNetwork has no graph.

    Notes
    -----
    O(nodes + edges), in Python speed.

    Examples
    --------
    >>> from nervure import SparseMLP
    >>> from nervure.export import to_networkx
    >>> graph = to_networkx(SparseMLP([2, 2, 1], seed=0))
    >>> graph.nodes[4]["activation"], graph.nodes[4]["role"], graph.number_of_edges()
    ('identity', 'output', 6)
    """
    if isinstance(network, BlockDAG):
        return _of_blocks(network)
    if not isinstance(network, GraphLayer | NeuralModules | FreeNet | SparseMLP):
        raise ExportError(
            f"a {type(network).__name__} has no graph: expected a GraphLayer, NeuralModules, "
            "GraphLinear, FreeNet, SparseMLP or BlockDAG; export it to ONNX or NumPy"
        )
    if isinstance(network, NeuralModules | FreeNet):
        between, layer = True, single_nodes(network.core)
    else:
        between, layer = False, single_nodes(network)
    topology = layer.topology
    graph = topology.to_networkx(layer.edge_weight.cpu().numpy())
    graph.graph["network"] = type(network).__name__
    if between:
        for name in ("encoder", "decoder"):
            linear = getattr(network, name)
            shape = f"{linear.in_features} to {linear.out_features}"
            graph.graph[name] = f"full linear layer, {shape}, not in the graph"
    columns = (layer.node_bias.tolist(), layer.activation, _modules(topology).tolist())
    for node, (bias, activation, module) in enumerate(zip(*columns, strict=True)):
        graph.nodes[node].update(bias=bias, activation=activation)
        if module >= 0:
            graph.nodes[node]["module"] = module
    if signature is not None and not between:
        _name(graph, topology.inputs.tolist(), signature.feature_names, "feature")
        _name(graph, topology.outputs.tolist(), signature.class_names, "output")
    return graph


def to_graphml(
    network: nn.Module, path: str | PathLike[str], *, signature: Signature | None = None
) -> None:
    """Write the graph of a network as GraphML, entirely or not at all.

    Parameters
    ----------
    network, signature
        As for `to_networkx`.
    path : path
        Replaced in one step if it exists. `nervure.topology.from_graphml` reads the wiring back.

    Raises
    ------
    ExportError
        As `to_networkx` does, or if the file cannot be written.
    """
    text = BytesIO()
    nx.write_graphml(to_networkx(network, signature=signature), text)
    write_file(Path(path), text.getvalue())


def to_json(
    network: nn.Module, path: str | PathLike[str], *, signature: Signature | None = None
) -> None:
    """Write the graph of a network as node-link JSON, entirely or not at all.

    Parameters
    ----------
    network, signature
        As for `to_networkx`.
    path : path
        Replaced in one step if it exists. ``networkx.node_link_graph(data, edges="edges")`` reads
        it back; nodes have ``id``, edges ``source`` and ``target``.

    Raises
    ------
    ExportError
        As `to_networkx` does, or if the file cannot be written.
    """
    graph = to_networkx(network, signature=signature)
    # Written out: the name of the list of edges differs between versions of NetworkX.
    data: dict[str, Any] = {
        "directed": True,
        "multigraph": False,
        "graph": graph.graph,
        "nodes": [{"id": node, **about} for node, about in graph.nodes(data=True)],
        "edges": [{"source": s, "target": t, **about} for s, t, about in graph.edges(data=True)],
    }
    write_file(Path(path), (json.dumps(data) + "\n").encode())


def _of_blocks(network: BlockDAG) -> nx.DiGraph:
    factors = torch.tanh(network.edge_weight.detach()).cpu().numpy()
    graph = network.topology.to_networkx(factors)
    graph.graph["network"] = type(network).__name__
    for node, stage in enumerate(network.stages.tolist()):
        graph.nodes[node]["stage"] = stage
        # What is on no path from the input to the output is not made.
        made = str(node) in network.blocks
        graph.nodes[node]["block"] = type(network.blocks[str(node)]).__name__ if made else "none"
    return graph


def _modules(topology: Topology) -> NDArray[np.int64]:
    """Give the number of each node's component among those with cycles, or -1."""
    components = topology.components
    numbers = np.where(components.cyclic, np.cumsum(components.cyclic) - 1, -1)
    return numbers[components.labels]


def _name(graph: nx.DiGraph, nodes: list[int], names: tuple[str, ...], what: str) -> None:
    if len(names) == len(nodes):
        for node, name in zip(nodes, names, strict=True):
            graph.nodes[node][what] = name
