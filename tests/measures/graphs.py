"""Random graphs for property tests, and brute force over their paths."""

import networkx as nx
from hypothesis import settings
from hypothesis import strategies as st

from nervure.topology import from_edges

# The first example imports much; a deadline would only measure that.
checked = settings(deadline=None, max_examples=60)


@st.composite
def dags(draw, max_nodes=8):
    """Acyclic, under mixed-up numbers, with dead ends and any roles."""
    n = draw(st.integers(1, max_nodes))
    label = draw(st.permutations(range(n)))
    pairs = [(i, j) for j in range(n) for i in range(j)]
    chosen = draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    roles = st.none() | st.lists(st.integers(0, n - 1), unique=True, max_size=3)
    edges = [(label[i], label[j]) for i, j in chosen]
    return from_edges(edges, n, inputs=draw(roles), outputs=draw(roles))


@st.composite
def digraphs(draw, max_nodes=8):
    """With cycles as they come."""
    n = draw(st.integers(1, max_nodes))
    node = st.integers(0, n - 1)
    pairs = draw(st.sets(st.tuples(node, node), max_size=3 * n))
    roles = st.none() | st.lists(node, unique=True, max_size=3)
    edges = [(i, j) for i, j in pairs if i != j]
    return from_edges(edges, n, inputs=draw(roles), outputs=draw(roles))


def chain(n):
    return from_edges([(i, i + 1) for i in range(n - 1)], n, inputs=[0], outputs=[n - 1])


def cut():
    """Two edges, of which none leads from the input to the output."""
    return from_edges([(0, 1), (2, 3)], inputs=[0], outputs=[3])


def live_graph(topology):
    """What is live, found by NetworkX alone."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(topology.num_nodes))
    graph.add_edges_from(topology.edges.tolist())
    ahead, behind = set(), set()
    for node in topology.inputs.tolist():
        ahead |= {node} | nx.descendants(graph, node)
    for node in topology.outputs.tolist():
        behind |= {node} | nx.ancestors(graph, node)
    return graph.subgraph(ahead & behind)


def lengths_of_all_paths(topology):
    """Walk every path from an input to an output."""
    graph = live_graph(topology)
    lengths = []
    for a in topology.inputs.tolist():
        for b in topology.outputs.tolist():
            if a == b:
                lengths.append(0)
            elif a in graph and b in graph:
                lengths += [len(path) - 1 for path in nx.all_simple_paths(graph, a, b)]
    return lengths
