"""How dense each layer is: formulas by hand, and budgets that add up."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nervure.errors import TopologyError
from nervure.topology import erdos_renyi_densities, shared_densities

from .strategies import checked

sides = st.integers(1, 60)
shapes = st.lists(
    st.tuples(sides, sides) | st.tuples(sides, sides, st.integers(1, 5), st.integers(1, 5)),
    min_size=1,
    max_size=6,
)


def test_erdos_renyi_by_hand():
    # 20 (784 + 3000) / (784 * 3000), 20 * 6000 / 9e6, 20 * 3010 / 30000 = 2.007, clipped.
    found = erdos_renyi_densities([784, 3000, 3000, 10], epsilon=20)
    assert found == pytest.approx([0.0321768707, 0.0133333333, 1.0])
    assert found[-1] == 1


@checked
@given(st.lists(st.integers(1, 500), min_size=2, max_size=6), st.floats(0.01, 100))
def test_erdos_renyi_gives_epsilon_edges_per_node_or_all(sizes, epsilon):
    found = erdos_renyi_densities(sizes, epsilon)
    assert len(found) == len(sizes) - 1
    for n, m, density in zip(sizes, sizes[1:], found, strict=False):
        assert density * n * m == pytest.approx(min(n * m, epsilon * (n + m)))


def test_shared_by_hand():
    # (10 + 20)/200 : (20 + 5)/100 = 3 : 5, so s (3/20 * 200 + 1/4 * 100) = 0.1 * 300.
    assert shared_densities([(10, 20), (20, 5)], 0.1) == pytest.approx([0.9 / 11, 1.5 / 11])
    # A kernel counts in erk (3 + 4 + 5 + 5 over 300), not in er (7 / 12).
    pair = [(3, 4, 5, 5), (10, 10)]
    er, erk = (shared_densities(pair, 0.05, kind) for kind in ("er", "erk"))
    assert er[0] / er[1] == pytest.approx((7 / 12) / (20 / 100))
    assert erk[0] / erk[1] == pytest.approx((17 / 300) / (20 / 100))
    assert shared_densities(pair, 0.3, "uniform") == [0.3, 0.3]


@pytest.mark.parametrize("kind", ["uniform", "er", "erk"])
@checked
@given(shapes=shapes, density=st.floats(0, 1))
def test_the_shares_add_up(kind, shapes, density):
    found = shared_densities(shapes, density, kind)
    cells = np.array([math.prod(shape) for shape in shapes])
    assert all(0 <= value <= 1 for value in found)
    assert (found * cells).sum() == pytest.approx(density * cells.sum(), rel=1e-9)
    # Layers below 1 are in proportion to their raw share.
    used = [shape[:2] if kind == "er" else shape for shape in shapes]
    raw = np.array([1.0 if kind == "uniform" else sum(s) / math.prod(s) for s in used])
    open_ = np.array(found) < 1
    ratios = (found / raw)[open_]
    assert np.allclose(ratios, ratios[:1], rtol=1e-9)
    # And nobody would get more than a full one got, had it been let.
    if open_.any() and not open_.all():
        assert (raw[~open_] * ratios[0] >= 1 - 1e-9).all()


def test_several_layers_fill_up_one_after_the_other():
    # Of 620 edges the last would get 0.833 * 620 / 219 per cell, the middle one 0.35 * 620 / 219,
    # which is below 1; of the 614 that the full last one leaves it would get 0.35 * 614 / 214.
    found = shared_densities([(100, 100), (10, 4), (3, 2)], 620 / 10046)
    assert found == pytest.approx([0.0574, 1, 1])


@pytest.mark.parametrize("kind", ["uniform", "er", "erk"])
def test_a_lower_limit_leaves_more_to_the_others(kind):
    pair = [(10, 20), (20, 5), (5, 30)]
    found = shared_densities(pair, 0.5, kind, most=[0.2, 1.0, 0.9])
    assert found[0] == 0.2
    assert np.dot(found, [200, 100, 150]) == pytest.approx(225)
    assert shared_densities(pair, 0.9, kind, most=[0.2, 0.3, 0.1]) == [0.2, 0.3, 0.1]


@pytest.mark.parametrize("epsilon", [0, -1, math.inf, math.nan])
def test_epsilon_out_of_range(epsilon):
    with pytest.raises(TopologyError, match=f"epsilon: expected above 0, got {epsilon}"):
        erdos_renyi_densities([4, 4], epsilon)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"density": 1.1}, r"0\.\.1, not 1.1"),
        ({"density": -0.1}, r"0\.\.1"),
        ({"density": math.nan}, r"0\.\.1, not nan"),
        ({"distribution": "erx"}, "expected uniform, er or erk, got 'erx'"),
        ({"shapes": [(4,)]}, "at least two sizes"),
        ({"shapes": [(4, 0)]}, "at least 1"),
        ({"shapes": [(4, 2.5)]}, "integers"),
        ({"most": [1.0, 1.0]}, "expected 1 densities"),
        ({"most": [1.5]}, r"in 0\.\.1, got \[1.5\]"),
    ],
)
def test_shared_refuses(arguments, text):
    with pytest.raises(TopologyError, match=text):
        shared_densities(**{"shapes": [(4, 4)], "density": 0.5, **arguments})
