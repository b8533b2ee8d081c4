"""Random topologies for property tests, and the NetworkX graph that serves as their oracle."""

import networkx as nx
from hypothesis import settings
from hypothesis import strategies as st

from nervure.topology import from_edges

# The first example imports and compiles; a deadline would only measure that.
checked = settings(deadline=None, max_examples=100)


@st.composite
def topologies(draw, max_nodes=9, min_nodes=1):
    n = draw(st.integers(min_nodes, max_nodes))
    nodes = st.integers(0, n - 1)
    pairs = draw(st.sets(st.tuples(nodes, nodes), max_size=3 * n)) if n else set()
    roles = st.lists(nodes, unique=True, max_size=n) if n else st.just([])
    return from_edges(
        [(source, target) for source, target in pairs if source != target],
        n,
        inputs=draw(st.none() | roles),
        outputs=draw(st.none() | roles),
    )


def oracle(topology):
    graph = nx.DiGraph()
    graph.add_nodes_from(range(topology.num_nodes))
    graph.add_edges_from(topology.edges.tolist())
    return graph


def edge_set(topology):
    return {tuple(edge) for edge in topology.edges.tolist()}
