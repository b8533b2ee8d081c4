"""Networks over a graph, beside dense formulas and the layers of torch_geometric."""

import copy
import warnings

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch.nn import functional

from nervure.baselines import GraphAttention, GraphConvolution, node_rows
from nervure.errors import EngineError
from nervure.training import TrainingOptions, evaluate, fit

NETWORKS = [GraphConvolution, GraphAttention]


def graph():
    """Give binary features and edges of 20 nodes, one of them alone, with a loop and a twin."""
    edges = np.array(nx.gnm_random_graph(19, 40, seed=1).edges)
    edges = np.concatenate((edges, edges[:1], edges[1:2, ::-1], [[4, 4]]))
    features = np.random.default_rng(0).integers(2, size=(20, 6)).astype(np.float32)
    return csr_matrix(features), edges


def dense_adjacency(edges):
    """Give A + 1 by networkx, which keeps one of equal edges."""
    simple = nx.Graph()
    simple.add_nodes_from(range(20))
    simple.add_edges_from(edges.tolist())
    simple.remove_edges_from(list(nx.selfloop_edges(simple)))
    return torch.from_numpy(nx.to_numpy_array(simple)) + torch.eye(20)


def everything(network):
    return network.eval()(torch.from_numpy(node_rows(range(20))).to(network.first.dtype))


def geometric():
    with warnings.catch_warnings():
        # Of torch about itself, while it is imported.
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch_geometric.nn")


def test_convolution_is_its_dense_formula():
    features, edges = graph()
    network = GraphConvolution(features, edges, 3, nodes=8, seed=0).double()
    torch.nn.init.normal_(network.first_bias)
    adjacency = dense_adjacency(edges)
    scale = torch.diag(adjacency.sum(1) ** -0.5)
    smooth = scale @ adjacency @ scale
    x = torch.from_numpy(features.toarray()).double()
    hidden = (smooth @ x @ network.first + network.first_bias).clamp_min(0)
    expected = smooth @ hidden @ network.second + network.second_bias
    torch.testing.assert_close(everything(network), expected, rtol=1e-6, atol=1e-6)


def test_attention_is_its_dense_formula():
    features, edges = graph()
    network = GraphAttention(features, edges, 3, nodes=8, heads=2, seed=0).double()
    absent = dense_adjacency(edges) == 0

    def layer(h, attention, bias):
        parts = []
        for k, part in enumerate(h.chunk(attention.shape[1], dim=1)):
            scores = (part @ attention[0, k])[:, None] + (part @ attention[1, k])[None]
            scores = functional.leaky_relu(scores, 0.2).masked_fill(absent, -torch.inf)
            parts.append(torch.softmax(scores, dim=1) @ part)
        return torch.cat(parts, dim=1) + bias

    h = torch.from_numpy(features.toarray()).double() @ network.first
    hidden = functional.elu(layer(h, network.first_attention, network.first_bias))
    expected = layer(hidden @ network.second, network.second_attention, network.second_bias)
    torch.testing.assert_close(everything(network), expected)


@pytest.mark.parametrize("make", NETWORKS)
def test_layers_of_torch_geometric_do_the_same(make):
    layers = geometric()
    features, edges = graph()
    network = make(features, edges, 3, nodes=8, seed=0)
    unique = np.unique(np.sort(edges, axis=1), axis=0)
    both = np.concatenate((unique, unique[unique[:, 0] != unique[:, 1], ::-1]))
    index = torch.from_numpy(np.ascontiguousarray(both.T))
    if make is GraphConvolution:
        pair = layers.GCNConv(6, 8), layers.GCNConv(8, 3)
        between = torch.relu
    else:
        pair = layers.GATConv(6, 2, heads=4), layers.GATConv(8, 3)
        between = functional.elu
    with torch.no_grad():
        for theirs, name in zip(pair, ("first", "second"), strict=True):
            theirs.lin.weight.copy_(getattr(network, name).T)
            theirs.bias.copy_(torch.randn_like(theirs.bias))
            getattr(network, f"{name}_bias").copy_(theirs.bias)
            if make is GraphAttention:
                attention = getattr(network, f"{name}_attention")
                theirs.att_dst.copy_(attention[:1])
                theirs.att_src.copy_(attention[1:])
    x = torch.from_numpy(features.toarray())
    expected = pair[1](between(pair[0](x, index)), index)
    torch.testing.assert_close(everything(network), expected)
    weight = torch.randn(20, 3)
    (everything(network) * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(network.first.grad, pair[0].lin.weight.grad.T)
    if make is GraphAttention:
        theirs = torch.cat((pair[0].att_dst.grad, pair[0].att_src.grad))
        torch.testing.assert_close(network.first_attention.grad, theirs)


@pytest.mark.parametrize("make", NETWORKS)
def test_renumbering_the_nodes_renumbers_the_logits(make):
    features, edges = graph()
    order = np.random.default_rng(3).permutation(20)
    network = make(features, edges, 3, nodes=8, seed=0)
    turned = make(features[np.argsort(order)], order[edges], 3, nodes=8, seed=0)
    torch.testing.assert_close(everything(turned)[order], everything(network))


@pytest.mark.parametrize("make", NETWORKS)
def test_rows_are_node_numbers(make):
    features, edges = graph()
    network = make(features, edges, 3, nodes=8, seed=0)
    asked = torch.from_numpy(node_rows([7, 2, 7]))
    assert asked.dtype == torch.float32
    torch.testing.assert_close(network.eval()(asked), everything(network)[[7, 2, 7]])


@pytest.mark.parametrize("make", NETWORKS)
def test_evaluation_computes_the_graph_once_and_never_a_stale_one(make, monkeypatch):
    features, edges = graph()
    network = make(features, edges, 3, nodes=8, seed=0).eval()
    calls = []
    logits = make.logits
    monkeypatch.setattr(make, "logits", lambda self: calls.append(1) or logits(self))
    rows = torch.from_numpy(node_rows([0]))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    with torch.no_grad():
        first = network(rows)
        assert torch.equal(network(rows), first)
    assert len(calls) == 1
    network(rows).sum().backward()
    optimizer.step()
    with torch.no_grad():
        assert not torch.equal(network(rows), first)
        before = network(rows)
        network.load_state_dict({k: 2 * v for k, v in network.state_dict().items()})
        assert not torch.equal(network(rows), before)
        before = network(rows)
        # What goes behind autograd's back is seen from the next evaluation on.
        network.first.data.mul_(2)
        network.eval()
        assert not torch.equal(network(rows), before)
        twin = copy.deepcopy(network)
        twin.second_bias.add_(1)
        torch.testing.assert_close(twin(rows), network(rows) + 1)


@pytest.mark.parametrize("make", NETWORKS)
def test_the_club_is_told_apart_from_a_few_members(make):
    club = nx.karate_club_graph()
    y = np.array([name != "Mr. Hi" for _, name in club.nodes(data="club")], dtype=np.int64)
    known = np.array([0, 33, 1, 32])
    options = TrainingOptions(epochs=40, batch_size=4, optimizer="adam", learning_rate=0.03)

    def trained(seed):
        network = make(csr_matrix(np.eye(34)), list(club.edges), 2, nodes=16, seed=seed)
        torch.manual_seed(seed)
        fit(network, node_rows(known), y[known], task="classification", options=options)
        return network

    network = trained(0)
    assert evaluate(network, node_rows(range(34)), y, "classification").error < 0.15
    torch.manual_seed(99)
    torch.testing.assert_close(network.state_dict(), trained(0).state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("make", NETWORKS)
def test_dropout_acts_while_training_alone_and_keeps_the_mean(make):
    features, edges = graph()
    network = make(features, edges, 3, nodes=8, dropout=0.3, seed=0)
    network.train()
    ones = torch.ones(20_000)
    dropped = network._dropped(ones)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    rows = torch.from_numpy(node_rows([0, 1]))
    assert not torch.equal(network(rows), network(rows))
    network.eval()
    assert torch.equal(network(rows), network(rows))


@pytest.mark.parametrize("make", NETWORKS)
def test_weights_alone_are_saved(make):
    features, edges = graph()
    network = make(features, edges, 3, nodes=8, seed=0)
    assert network.state_dict().keys() == dict(network.named_parameters()).keys()
    again = make(features, edges, **network.config())
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(everything(again), everything(network), rtol=0, atol=0)


@pytest.mark.parametrize(("options", "text"), [
    ({"nodes": 10}, "multiple of heads"), ({"heads": 0}, "multiple of heads"),
    ({"dropout": 1.0}, "dropout"), ({"outputs": 0}, "outputs"),
    ({"edges": [(0, 20)]}, "expected nodes 0 to 19"),
])  # fmt: skip
def test_mistakes_are_named(options, text):
    features, edges = graph()
    with pytest.raises(EngineError, match=text):
        GraphAttention(**{"features": features, "edges": edges, "outputs": 3, **options})


@pytest.mark.parametrize("nodes", [[-1], [2**24], [[1]]])
def test_numbers_that_rows_cannot_hold_are_refused(nodes):
    with pytest.raises(EngineError, match="node numbers"):
        node_rows(nodes)
