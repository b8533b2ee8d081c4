import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from nervure.errors import TopologyError
from nervure.topology import complete, edge_weights, from_graphml, node_labels, read_graphml

from .strategies import topologies

HEAD = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'


def graphml(body, edgedefault="directed"):
    return f'{HEAD}<graph edgedefault="{edgedefault}">{body}</graph></graphml>'


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(topology=topologies())
def test_round_trip_with_weights(tmp_path, topology):
    path = tmp_path / "graph.graphml"
    weights = np.linspace(-1, 1, topology.num_edges)
    topology.to_graphml(path, weights)
    assert from_graphml(path) == topology
    assert edge_weights(read_graphml(path)).tolist() == weights.tolist()


def test_a_name_that_promises_compression_does_not_compress(tmp_path):
    path = tmp_path / "graph.graphml.gz"
    complete(2).to_graphml(path)
    assert path.read_bytes().startswith(b"<?xml")
    assert from_graphml(path) == complete(2)


def test_files_of_networkx_are_read(tmp_path):
    path = tmp_path / "graph.graphml"
    nx.write_graphml(nx.DiGraph([("eye", "brain"), ("brain", "hand")]), path)
    assert from_graphml(path).edges.tolist() == [[0, 1], [1, 2]]
    assert node_labels(read_graphml(path)) == ["eye", "brain", "hand"]


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        from_graphml(tmp_path / "nothing.graphml")


BOMB = '<!DOCTYPE g [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
OUTSIDE = '<!DOCTYPE g [<!ENTITY f SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no XML"),
        ("not xml", "is no XML"),
        (graphml('<node id="a"/>')[:-9], "is no XML"),
        (BOMB + graphml('<node id="&b;"/>'), "declares a document type"),
        (OUTSIDE + graphml('<node id="a"/>'), "declares a document type"),
        ("<html/>", "is no readable GraphML"),
        (HEAD + "</graphml>", "is no readable GraphML"),
        (graphml('<node id="a"/><node id="a"/>'), "declares node 'a' more than once"),
        (graphml('<node id="a"/><edge source="a" target="b"/>'), "does not declare, such as 'b'"),
        (graphml('<node id="a"/><edge source="a"/>'), "does not declare, such as ''"),
        (graphml('<node id="a"><data key="k">1</data></node>'), "no key k"),
        (graphml('<node id="a"/><hyperedge/>'), "hyperedges"),
        (graphml('<node id="a"/>', "undirected"), "directed graph is expected"),
        (graphml('<node id="a"/><edge source="a" target="a"/>'), "self-loop"),
        (
            graphml('<node id="a"/><node id="b"/>' + 2 * '<edge source="a" target="b"/>'),
            "edge 0 -> 1 given more than once",
        ),
    ],
)
def test_bad_and_hostile_files(tmp_path, text, complaint):
    path = tmp_path / "bad.graphml"
    path.write_text(text)
    with pytest.raises(TopologyError, match=complaint):
        from_graphml(path)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "bad.graphml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(TopologyError, match="is no XML"):
        from_graphml(path)
