import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure.errors import TopologyError
from nervure.modules.merging import link_clusters


def linked(edges, final, share=0.9):
    sources, targets, counts = np.array(edges, dtype=np.int64).reshape(-1, 3).T
    return link_clusters(sources, targets, counts, np.array(final), share=share)


def test_a_share_must_be_exceeded_both_ways():
    edges = [(0, 2, 91), (0, 3, 9), (1, 2, 9), (1, 3, 91), (2, 4, 1), (3, 5, 1)]
    _, modules = linked(edges, [False] * 4 + [True] * 2)
    assert modules.tolist() == [0, 1, 0, 1, 0, 1]
    exactly = [(0, 2, 90), (0, 3, 10), (1, 2, 10), (1, 3, 90), (2, 4, 1), (3, 5, 1)]
    links, modules = linked(exactly, [False] * 4 + [True] * 2)
    assert modules.tolist() == [0, 1, 2, 3, 2, 3]
    assert [(link.outgoing, link.merged) for link in links[:2]] == [(0.9, False), (0.1, False)]
    _, modules = linked(exactly, [False] * 4 + [True] * 2, share=0.6)
    assert modules.tolist() == [0, 1, 0, 1, 0, 1]


def test_of_an_output_only_what_it_reads_counts():
    edges = [(0, 1, 4), (0, 2, 4), (0, 3, 1), (4, 3, 1)]
    _, modules = linked(edges, [False, True, True, True, False])
    assert modules.tolist() == [0, 0, 0, 1, 2]
    # The same shares do not make hidden clusters one.
    _, modules = linked([*edges, (1, 3, 1), (2, 3, 1)], [False, False, False, True, False])
    assert modules.tolist() == [0, 1, 2, 3, 4]


@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.6, 0.9]))
@settings(max_examples=60, deadline=None)
def test_shares_are_those_of_a_table_of_edges(seed, share):
    generator = np.random.default_rng(seed)
    size = 7
    table = np.triu(
        generator.integers(0, 20, (size, size)) * (generator.random((size, size)) < 0.4), 1
    )
    sources, targets = np.nonzero(table)
    final = ~table.any(axis=1)
    links, modules = link_clusters(sources, targets, table[sources, targets], final, share=share)
    assert len(links) == len(sources)
    hidden = list(range(size))
    for a, b in zip(sources.tolist(), targets.tolist(), strict=True):
        if (
            not final[b]
            and min(table[a, b] / table[a].sum(), table[a, b] / table[:, b].sum()) > share
        ):
            hidden = [hidden[a] if m == hidden[b] else m for m in hidden]
    for link in links:
        assert link.edges == table[link.source, link.target]
        assert link.outgoing == link.edges / table[link.source].sum()
        from_module = [s for s in range(size) if hidden[s] == hidden[link.source]]
        beside = table[from_module if final[link.target] else [link.source], link.target]
        assert link.incoming == beside.sum() / table[:, link.target].sum()
        both = link.outgoing > share or final[link.target]
        assert link.merged == (both and link.incoming > share)
        if link.merged:
            assert modules[link.source] == modules[link.target]
    joined = nx.Graph([(link.source, link.target) for link in links if link.merged])
    joined.add_nodes_from(range(size))
    groups = {frozenset(np.flatnonzero(modules == m).tolist()) for m in modules}
    assert groups == {frozenset(nodes) for nodes in nx.connected_components(joined)}


@pytest.mark.parametrize("share", [0.4, 1.0, -1, float("nan")])
def test_other_shares_are_refused(share):
    with pytest.raises(TopologyError, match=r"at least 0\.5 and below 1"):
        linked([(0, 1, 1)], [False, True], share=share)
