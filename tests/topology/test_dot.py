from nervure.topology import complete, from_edges


def test_dot_shows_roles_modules_and_edges():
    topology = from_edges([(0, 1), (1, 2), (2, 1), (2, 3)], 5, inputs=[0, 4], outputs=[3, 4])
    assert topology.to_dot().splitlines() == [
        "digraph topology {",
        "  node [shape=circle];",
        "  0 [shape=box];",
        "  4 [shape=doubleoctagon];",
        "  1 [shape=circle];",
        "  2 [shape=circle];",
        "  3 [shape=doublecircle];",
        "  subgraph cluster_0 { 1; 2; }",
        "  0 -> 1;",
        "  2 -> 1;",
        "  1 -> 2;",
        "  2 -> 3;",
        "}",
    ]


def test_weights_become_labels():
    text = complete(2).to_dot([0.125, -3])
    assert '  1 -> 0 [label="0.125"];' in text
    assert '  0 -> 1 [label="-3"];' in text
