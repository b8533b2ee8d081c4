import numpy as np
import pytest

from nervure.errors import TopologyError
from nervure.topology import erdos_renyi, layered
from nervure.topology.random_graphs import _lower_triangle

from .strategies import edge_set


def test_dense_layers_are_fully_joined():
    topology = layered([2, 3, 1])
    first = {(s, t) for s in (0, 1) for t in (2, 3, 4)}
    assert edge_set(topology) == first | {(s, 5) for s in (2, 3, 4)}
    assert topology.inputs.tolist() == [0, 1]
    assert topology.outputs.tolist() == [5]
    assert topology.levels.tolist() == [0, 0, 1, 1, 1, 2]


def test_each_layer_has_exactly_its_share_of_edges():
    sizes, densities = [13, 17, 11, 5], [0.3, 0.77, 0.05]
    topology = layered(sizes, density=densities, seed=3)
    layer = np.repeat(np.arange(4), sizes)
    counts = np.bincount(layer[topology.sources], minlength=3)
    expected = [round(d * n * m) for d, n, m in zip(densities, sizes, sizes[1:], strict=False)]
    assert counts.tolist() == expected
    assert (layer[topology.targets] - layer[topology.sources] == 1).all()


def test_motifs_are_whole_blocks():
    topology = layered([6, 9, 3], density=0.5, motif=3, seed=0)
    matrix = topology.to_scipy().toarray()
    blocks = matrix.reshape(6, 3, 6, 3).sum(axis=(1, 3))
    assert set(np.unique(blocks)) == {0, 9}
    assert (blocks == 9).sum() == round(0.5 * 2 * 3) + round(0.5 * 3 * 1)


def test_a_seed_fixes_the_draw_and_a_generator_moves_on():
    assert layered([9, 9], density=0.4, seed=1) == layered([9, 9], density=0.4, seed=1)
    rng = np.random.default_rng(1)
    one, two = (layered([9, 9], density=0.4, seed=rng) for _ in range(2))
    assert one != two
    assert one == layered([9, 9], density=0.4, seed=1)


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is the subject
    erdos_renyi(20, edges=30, seed=0)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def per_pair(sizes, **options):
    """Edges of each pair of layers."""
    topology = layered(sizes, **options)
    layer = np.repeat(np.arange(len(sizes)), sizes)
    assert (layer[topology.targets] - layer[topology.sources] == 1).all()
    return np.bincount(layer[topology.sources], minlength=len(sizes) - 1)


def test_bernoulli_draws_have_the_mean_and_variance_of_a_binomial():
    sizes, density, draws = [12, 15, 8], [0.3, 0.8], 800
    counts = np.array(
        [per_pair(sizes, density=density, draw="bernoulli", seed=s) for s in range(draws)]
    )
    possible, p = np.array([180, 120]), np.array(density)
    variance = possible * p * (1 - p)
    assert (np.abs(counts.mean(0) - possible * p) < 4 * np.sqrt(variance / draws)).all()
    # The standard error of a variance is about its sqrt(2 / draws).
    assert (np.abs(counts.var(0, ddof=1) / variance - 1) < 4 * np.sqrt(2 / draws)).all()


def test_bernoulli_edges_are_equally_likely():
    draws, rng = 2000, np.random.default_rng(0)
    hits = sum(
        layered([4, 3], density=0.4, draw="bernoulli", seed=rng).to_scipy().toarray()[4:, :4]
        for _ in range(draws)
    )
    assert np.abs(hits - 0.4 * draws).max() < 4 * np.sqrt(draws * 0.24)


def test_replacement_leaves_repeated_edges_out():
    # Of c draws from p cells p (1 - (1 - 1/p)^c) are distinct on average.
    sizes, draws = [10, 20, 10], 400
    counts = np.array(
        [per_pair(sizes, density=[0.5, 0.9], draw="replacement", seed=s) for s in range(draws)]
    )
    assert (counts <= [100, 180]).all()
    expected = 200 * (1 - (1 - 1 / 200) ** np.array([100, 180]))
    assert np.abs(counts.mean(0) - expected).max() < 1
    distinct = np.unique(np.random.default_rng(5).integers(200, size=100))
    topology = layered([10, 20], density=0.5, draw="replacement", seed=5)
    assert ((topology.targets - 10) * 10 + topology.sources).tolist() == distinct.tolist()


@pytest.mark.parametrize("draw", ["exact", "bernoulli", "replacement"])
def test_full_and_empty_layers_are_so_with_any_draw(draw):
    assert per_pair([4, 5, 6], density=[1.0, 0.0], draw=draw).tolist() == [20, 0]


@pytest.mark.parametrize("draw", ["bernoulli", "replacement"])
def test_motifs_stay_whole_with_any_draw(draw):
    matrix = layered([8, 12], density=0.4, motif=4, draw=draw, seed=1).to_scipy().toarray()
    blocks = matrix.reshape(5, 4, 5, 4).sum(axis=(1, 3))
    assert set(np.unique(blocks)) == {0, 16}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"sizes": [4]}, "at least two layers"),
        ({"sizes": [4, 4], "draw": "some"}, "expected exact, bernoulli or replacement, got 'some'"),
        ({"sizes": [4, 0]}, "at least one node"),
        ({"sizes": [4, 5, 6, 9], "motif": 2}, "motif=2: layer 1 has 5, layer 3 has 9"),
        ({"sizes": [4, 4], "motif": 0}, "motif must be a positive integer"),
        ({"sizes": [4, 4], "density": 0.5}, "pass seed="),
        ({"sizes": [4, 4], "density": 1.5}, r"0\.\.1, not 1.5"),
        ({"sizes": [4, 4], "density": float("nan")}, r"0\.\.1, not nan"),
        ({"sizes": [4, 4], "density": [0.5, 0.5]}, "one number or 1, one per pair"),
        ({"sizes": [4, 4], "density": "half"}, "density must be a number"),
        ({"sizes": [60000, 60000]}, "3600000000 edges asked for"),
    ],
)
def test_layered_refuses(arguments, text):
    with pytest.raises(TopologyError, match=text):
        layered(**arguments)


@pytest.mark.parametrize("acyclic", [False, True])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_erdos_renyi_draws_the_exact_number(density, acyclic):
    n = 30
    topology = erdos_renyi(n, density=density, acyclic=acyclic, seed=5)
    possible = n * (n - 1) // (2 if acyclic else 1)
    assert topology.num_edges == round(density * possible) == len(edge_set(topology))
    if acyclic:
        assert (topology.sources < topology.targets).all()


@pytest.mark.parametrize("acyclic", [False, True])
def test_every_edge_is_equally_likely(acyclic):
    n, draws, edges = 6, 3000, 4
    rng = np.random.default_rng(0)
    hits = sum(
        erdos_renyi(n, edges=edges, acyclic=acyclic, seed=rng).to_scipy().toarray().astype(int)
        for _ in range(draws)
    )
    possible = np.tri(n, k=-1, dtype=bool) if acyclic else ~np.eye(n, dtype=bool)
    chance = edges / possible.sum()
    spread = np.sqrt(draws * chance * (1 - chance))
    assert np.abs(hits[possible] - draws * chance).max() < 4.5 * spread
    assert hits[~possible].sum() == 0


def test_roles_are_those_given():
    topology = erdos_renyi(10, edges=20, seed=0, inputs=[1, 0], outputs=[9])
    assert topology.inputs.tolist() == [1, 0]
    assert topology.outputs.tolist() == [9]


@pytest.mark.parametrize("n", [0, 1])
def test_tiny_graphs_have_no_edges(n):
    assert erdos_renyi(n, density=1.0, seed=0).num_edges == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "one of density and edges"),
        ({"density": 0.1, "edges": 3}, "one of density and edges"),
        ({"density": -0.1}, r"0\.\.1"),
        ({"edges": 91}, "91 edges asked for, but only 90 are possible"),
        ({"edges": 46, "acyclic": True}, "only 45"),
        ({"edges": -1}, "not -1"),
        ({"edges": 10.0}, "edges must be an integer, not 10.0"),
        ({"edges": 3, "seed": None}, "pass seed="),
    ],
)
def test_erdos_renyi_refuses(arguments, text):
    with pytest.raises(TopologyError, match=text):
        erdos_renyi(10, **{"seed": 0, **arguments})


def test_triangle_rows_survive_the_rounding_of_the_root():
    rows = np.array([1, 2, 94906266, 2**31 - 2], dtype=np.int64)
    first = rows * (rows - 1) // 2
    for index, column in ((first, 0), (first + rows - 1, rows - 1)):
        found_rows, found_columns = _lower_triangle(index)
        assert found_rows.tolist() == rows.tolist()
        assert (found_columns == column).all()
