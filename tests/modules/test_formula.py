"""Formulas against the tables they come from."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from nervure.errors import FunctionGraphError
from nervure.modules import formula_of, function_graph
from nervure.modules.minimal_cover import length, minimal_sum, prime_implicants


def table_of(formula, names):
    return function_graph({"out": formula}, inputs=names, outputs=["out"]).truth_table()[1].ravel()


def test_every_function_of_three_inputs():
    names = ["a", "b", "c"]
    for table in itertools.product([0, 1], repeat=8):
        assert table_of(formula_of(table, names), names).tolist() == list(table)


@given(st.integers(4, 6), st.integers(0, 2**32), st.floats(0, 1), st.floats(0, 0.9))
@settings(max_examples=40, deadline=None)
def test_random_functions_with_and_without_free_rows(count, seed, share, free_share):
    rng = np.random.default_rng(seed)
    names = [f"x{i}" for i in range(count)]
    table = (rng.random(2**count) < share).astype(int)
    formula = formula_of(table, names)
    assert table_of(formula, names).tolist() == table.tolist()
    free = rng.random(2**count) < free_share
    freed = formula_of(table, names, dont_care=free)
    assert np.array_equal(table_of(freed, names)[~free], table[~free])


@pytest.mark.parametrize("formula", [
    "0", "1", "a", "~d", "a & b", "a | ~c", "a & b & ~c & d", "~a | b | c", "a ^ b", "~(a ^ b)",
    "a ^ b ^ c ^ d", "~(a ^ c ^ d)", "a & (b ^ c)", "d | (a & ~b)", "a ^ (b & c)",
    "a & ~d & (b ^ c)", "(a | b) & (c | d)", "(a & b) | (c & d)", "a | ~(b ^ c)",
])  # fmt: skip
def test_short_formulas_are_found_again(formula):
    names = ["a", "b", "c", "d"]
    assert formula_of(table_of(formula, names), names) == formula


def test_free_rows_shorten():
    # a implies b: then a & b is a.
    assert formula_of([0, 0, 0, 1], ["a", "b"], dont_care=[0, 0, 1, 0]) in ("a", "b")
    assert formula_of([0, 1, 1, 0], ["a", "b"], dont_care=[0, 0, 0, 1]) == "a | b"
    assert formula_of([0, -1, 1, 0], ["a", "b"], dont_care=[0, 1, 0, 0]) == "a & ~b"
    assert formula_of([0, 1], ["a"], dont_care=[1, 1]) == "0"


def test_no_inputs_are_a_constant():
    assert formula_of([1], []) == "1"


def test_eight_inputs_take_no_long_time():
    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(8)]
    table = (rng.random(256) < 0.3).astype(int)
    assert table_of(formula_of(table, names), names).tolist() == table.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1, 1], ["a", "b"]), "4 rows for 2 inputs"),
        (([0, 1, 1, 2], ["a", "b"]), "0 and 1 only"),
        (([0, 1, 1, 0], ["a", "a"]), "every name once"),
        (([0] * 512, list("abcdefghi")), "at most 8"),
    ],
)
def test_what_is_no_table_is_refused(arguments, message):
    with pytest.raises(FunctionGraphError, match=message):
        formula_of(*arguments)


def test_free_rows_of_another_size_are_refused():
    with pytest.raises(FunctionGraphError, match="of dont_care"):
        formula_of([0, 1], ["a"], dont_care=[1])


# -- covers ----------------------------------------------------------------------------------------


def inside(product, cell):
    return all(value is None or value == bit for value, bit in zip(product, cell, strict=True))


@given(st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_primes_are_the_maximal_products(count, seed):
    allowed = np.random.default_rng(seed).random((2,) * count) < 0.6
    cells = list(itertools.product([0, 1], repeat=count))
    implicants = [
        product
        for product in itertools.product([0, 1, None], repeat=count)
        if all(allowed[cell] for cell in cells if inside(product, cell))
    ]
    covers = {p: frozenset(c for c in cells if inside(p, c)) for p in implicants}
    expected = {p for p in implicants if not any(covers[p] < other for other in covers.values())}
    assert set(prime_implicants(allowed)) == expected


@given(st.integers(1, 6), st.integers(0, 2**32), st.floats(0.1, 0.9))
@settings(max_examples=40, deadline=None)
def test_covers_are_the_cheapest_of_all(count, seed, share):
    rng = np.random.default_rng(seed)
    on = rng.random((2,) * count) < share
    allowed = on | (rng.random(on.shape) < 0.2)
    found = minimal_sum(on, allowed)
    for cell in itertools.product([0, 1], repeat=count):
        covered = any(inside(p, cell) for p in found)
        assert on[cell] <= covered <= allowed[cell]
    if on.any():
        primes = prime_implicants(allowed)
        covers = np.array([[inside(p, cell) for p in primes] for cell in np.argwhere(on)])
        # An integer program finds the cheapest by other means.
        solved = milp(
            [length(p) for p in primes],
            constraints=LinearConstraint(covers.astype(float), lb=1),
            integrality=np.ones(len(primes)),
            bounds=Bounds(0, 1),
        )
        assert sum(length(p) for p in found) == round(solved.fun)
