import networkx as nx
import pytest
from hypothesis import given

from nervure.errors import DisconnectedError, TopologyError
from nervure.topology import complete, from_edges

from .strategies import checked, edge_set, oracle, topologies


def live_by_networkx(topology):
    graph = oracle(topology)
    forward, backward = set(), set()
    for node in topology.inputs.tolist():
        forward |= {node} | nx.descendants(graph, node)
    for node in topology.outputs.tolist():
        backward |= {node} | nx.ancestors(graph, node)
    return forward & backward


@checked
@given(topologies())
def test_live_nodes_are_reached_both_ways(topology):
    expected = live_by_networkx(topology)
    assert {v for v in range(topology.num_nodes) if topology.live[v]} == expected


@checked
@given(topologies())
def test_trimmed_keeps_exactly_the_edges_between_live_nodes(topology):
    live = live_by_networkx(topology)
    trimmed = topology.trimmed(require="none")
    assert edge_set(trimmed) == {(u, v) for u, v in edge_set(topology) if {u, v} <= live}
    assert trimmed.num_nodes == topology.num_nodes
    assert trimmed.inputs.tolist() == topology.inputs.tolist()
    assert trimmed.live.tolist() == topology.live.tolist()
    assert trimmed.trimmed(require="none") == trimmed


@checked
@given(topologies())
def test_each_requirement_says_what_it_promises(topology):
    live = topology.live
    outputs_live = live[topology.outputs].all()
    met = {
        "all": outputs_live and live[topology.inputs].all(),
        "outputs": outputs_live,
        "any": live.any(),
        "none": True,
    }
    for require, holds in met.items():
        if holds:
            topology.check_connected(require)
        else:
            with pytest.raises(DisconnectedError):
                topology.check_connected(require)


def test_trimming_a_live_graph_returns_it():
    topology = complete(4)
    assert topology.trimmed() is topology


def test_error_names_the_lost_nodes_and_the_remedy():
    topology = from_edges([(0, 9)], 10, inputs=range(8), outputs=[8, 9])
    with pytest.raises(DisconnectedError) as caught:
        topology.trimmed()
    text = str(caught.value)
    assert "7 of 8 inputs" in text
    assert "nodes 1, 2, 3, 4, 5 and 2 more" in text
    assert "1 of 2 outputs" in text
    assert "node 8" in text
    assert "prune less" in text
    assert "require='outputs' or 'any'" in text


def test_error_about_outputs_leaves_inputs_alone():
    topology = from_edges([(0, 2)], 4, inputs=[0, 1], outputs=[2, 3])
    with pytest.raises(DisconnectedError) as caught:
        topology.check_connected("outputs")
    assert str(caught.value).startswith("1 of 2 outputs is reached by no input (node 3);")


def test_no_path_at_all_is_an_error_for_any():
    topology = from_edges([(1, 0)], 2, inputs=[0], outputs=[1])
    with pytest.raises(DisconnectedError, match="no path leads from any input"):
        topology.trimmed(require="any")
    assert topology.trimmed(require="none").num_edges == 0


def test_unknown_requirement_lists_the_known():
    with pytest.raises(TopologyError, match=r"all, outputs, any, none.*'most'"):
        complete(2).check_connected("most")
