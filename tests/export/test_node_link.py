"""The graph for other tools."""

import json

import networkx as nx
import numpy as np
import pytest
import torch

from nervure import FreeNet, GraphLayer, Topology
from nervure.baselines import PlainNetwork
from nervure.errors import ExportError
from nervure.export import Signature, to_graphml, to_json, to_networkx
from nervure.networks import BlockDAG, node_values
from nervure.topology import edge_weights, from_graphml, from_networkx

from .networks import layered_mlp, modules, seeded

SIGNATURE = Signature(tuple(f"f{k}" for k in range(12)), ("x", "y", "z"), "classification")


def test_all_numbers_are_there():
    """Enough to compute what the network computes, with nothing but the graph."""
    network = layered_mlp(motif_size=4, activation="tanh")
    graph = to_networkx(network, signature=SIGNATURE)
    x = torch.randn(12, generator=seeded())
    values = {}
    for node in nx.topological_sort(graph):
        about = graph.nodes[node]
        z = about["bias"] + sum(
            edge["weight"] * values[source] for source, _, edge in graph.in_edges(node, data=True)
        )
        if about["role"] == "input":
            z += float(x[about["input_position"]])
        values[node] = np.tanh(z) if about["activation"] == "tanh" else z
    expected = node_values(network, x[None])[0].tolist()
    assert [values[node] for node in range(len(graph))] == pytest.approx(expected, abs=1e-5)
    assert graph.graph == {"network": "SparseMLP"}
    assert [graph.nodes[node]["feature"] for node in (0, 11)] == ["f0", "f11"]
    outputs = {about["output"]: node for node, about in graph.nodes(data=True) if "output" in about}
    assert outputs == {"x": 48, "y": 49, "z": 50}


def test_modules_are_numbered_and_matrices_are_not_edges():
    network = modules()
    graph = to_networkx(network, signature=SIGNATURE)
    assert from_networkx(graph) == network.topology
    np.testing.assert_array_equal(edge_weights(graph), network.core.edge_weight.numpy())
    found = {}
    for node, about in graph.nodes(data=True):
        found.setdefault(about.get("module"), set()).add(node)
    single = found.pop(None)
    swept = [part for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, swept))
    assert sorted(found) == list(range(len(swept)))
    assert single == set(graph) - set().union(*swept)
    assert graph.graph["encoder"] == "full linear layer, 12 to 30, not in the graph"
    assert graph.graph["decoder"] == "full linear layer, 30 to 3, not in the graph"
    assert not any("feature" in about for _, about in graph.nodes(data=True))


def test_files_give_the_graph_back(tmp_path):
    network = modules().compact()
    to_graphml(network, tmp_path / "graph.graphml")
    assert from_graphml(tmp_path / "graph.graphml") == network.topology
    expected = to_networkx(network)
    back = nx.read_graphml(tmp_path / "graph.graphml", node_type=int)
    assert dict(back.nodes(data=True)) == dict(expected.nodes(data=True))
    assert back.graph["network"] == "NeuralModules"
    to_json(network, tmp_path / "graph.json")
    data = json.loads((tmp_path / "graph.json").read_text())
    read = nx.node_link_graph(data, edges="edges")
    assert nx.utils.graphs_equal(read, expected)


def test_blocks_have_their_kind_and_edges_their_factor():
    network = BlockDAG(Topology.dense_dag(5), stages=2, channels=2, seed=0)
    network.rewire_(network.topology.drop([(0, 1)]))
    graph = to_networkx(network)
    factors = torch.tanh(network.edge_weight).tolist()
    assert edge_weights(graph).tolist() == pytest.approx(factors)
    assert [graph.nodes[k]["stage"] for k in range(5)] == network.stages.tolist()
    assert [graph.nodes[k]["block"] for k in (0, 1)] == ["ConvBlock", "none"]


def test_a_network_without_a_graph_is_refused(tmp_path):
    with pytest.raises(ExportError, match="a PlainNetwork has no graph"):
        to_networkx(PlainNetwork(3, 2, seed=0))
    with pytest.raises(ExportError, match="cannot write"):
        to_json(FreeNet(3, 2, neurons=4, seed=0), tmp_path / "no" / "folder.json")


def test_a_bare_layer_and_names_that_do_not_fit():
    layer = GraphLayer(Topology.layered([2, 1]), generator=seeded())
    graph = to_networkx(layer, signature=SIGNATURE)
    assert not any("feature" in about or "output" in about for _, about in graph.nodes(data=True))
