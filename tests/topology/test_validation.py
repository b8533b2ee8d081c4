import numpy as np
import pytest

from nervure.errors import (
    DuplicateEdgeError,
    NervureError,
    NodeOutOfRangeError,
    SelfLoopError,
    TopologyError,
)
from nervure.topology import Topology

SOUND = {
    "num_nodes": 3,
    "indptr": [0, 0, 1, 3],
    "sources": [0, 0, 1],
    "inputs": [0],
    "outputs": [2],
}
# Longer than int32 can number, yet without memory behind it.
ENDLESS = np.broadcast_to(np.int8(0), 2**31)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"num_nodes": 2.5}, TopologyError, "number of nodes must be an integer, not 2.5"),
        ({"num_nodes": -1}, TopologyError, r"0\.\.2147483647, not -1"),
        ({"num_nodes": 2**31}, TopologyError, r"not 2147483648"),
        ({"num_nodes": 4}, TopologyError, r"indptr must have shape \(5,\)"),
        ({"indptr": [0, 0, 1, 2]}, TopologyError, r"from 0 to the number of edges, 3; .* 0 to 2"),
        ({"indptr": [1, 1, 1, 3]}, TopologyError, "goes from 1 to 3"),
        ({"indptr": [0, 4, 1, 3]}, TopologyError, "falls on the way"),
        ({"indptr": [0.0, 0, 1, 3]}, TopologyError, "indptr must hold integers, not float64"),
        ({"indptr": None}, TopologyError, "indptr must hold integers, not object"),
        ({"indptr": [[0, 0], [1]]}, TopologyError, "indptr must be an array of integers"),
        ({"sources": [0, 0, 3]}, NodeOutOfRangeError, r"sources: node 3 outside 0\.\.2"),
        ({"sources": [0, -7, 1]}, NodeOutOfRangeError, "node -7 outside"),
        ({"sources": [[0, 0, 1]]}, TopologyError, "sources must be one-dimensional"),
        ({"sources": [0, 1, 0]}, TopologyError, "they fall for node 2; sort them, or .*from_edges"),
        ({"sources": [0, 1, 1]}, DuplicateEdgeError, "edge 1 -> 2 given more than once"),
        ({"sources": [1, 0, 1]}, SelfLoopError, "self-loop on node 1.*biases are separate"),
        ({"sources": ENDLESS}, TopologyError, "2147483648 edges .*int32: at most 2147483647"),
        ({"inputs": [0, 3]}, NodeOutOfRangeError, r"inputs: node 3 outside 0\.\.2"),
        ({"inputs": [0, 1, 0]}, TopologyError, "inputs must name each node once; repeated: node 0"),
        ({"outputs": 2}, TopologyError, "outputs must be one-dimensional"),
        ({"outputs": [True]}, TopologyError, "outputs must hold integers, not bool"),
    ],
)
def test_unsound_arrays_are_refused(change, error, text):
    with pytest.raises(error, match=text) as caught:
        Topology(**{**SOUND, **change})
    assert type(caught.value) is error
    assert isinstance(caught.value, NervureError)
    assert isinstance(caught.value, ValueError)


def test_a_role_in_a_graph_without_nodes():
    with pytest.raises(NodeOutOfRangeError, match="inputs: node 0, but the topology has no nodes"):
        Topology(0, [0], [], [0], [])


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda x: np.array(x, np.uint64)])
def test_any_kind_of_integers_will_do(kind):
    topology = Topology(3, *(kind(SOUND[name]) for name in list(SOUND)[1:]))
    assert topology == Topology(**SOUND)
    assert topology.sources.dtype == np.int32


def test_roles_may_come_from_any_iterable():
    topology = Topology(3, [0, 0, 1, 3], [0, 0, 1], range(2), {2})
    assert topology.inputs.tolist() == [0, 1]
    assert topology.outputs.tolist() == [2]


def test_long_lists_of_problems_are_cut():
    with pytest.raises(NodeOutOfRangeError, match=r"nodes 3, 4, 5, 6, 7 and 2 more outside"):
        Topology(**{**SOUND, "inputs": range(3, 10)})
