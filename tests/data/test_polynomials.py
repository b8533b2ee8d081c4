"""Functions of one number to learn, against evaluation from their own formulas."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nervure.data.polynomials import (
    SparsePolynomial,
    interval_polynomials,
    monomial,
    sparse_polynomial,
    trigonometric,
)
from nervure.errors import DataError

MAKERS = {
    "monomial": lambda **o: monomial(7, coefficient=-1.5, **o),
    "sparse": lambda **o: sparse_polynomial(20, terms=5, **o),
    "trigonometric": lambda **o: trigonometric(6, terms=3, **o),
    "interval": lambda **o: interval_polynomials(4, 9, terms=3, **o),
}


def read(formula, x):
    """Work out a formula as it is written, to its 4 digits."""
    text = formula.removeprefix("y = ").replace("^", "**")
    text = re.sub(r"(?<=[0-9)]) (?=[a-z(])", " * ", text)  # what stands side by side is multiplied
    text = text.replace("pi x", "pi * x")

    def s(z):
        return 1 / (1 + math.exp(-z))

    return eval(text, {"sin": math.sin, "cos": math.cos, "pi": math.pi, "s": s, "x": x})


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_samples_are_the_function_and_the_function_is_its_formula(kind, seed):
    task = MAKERS[kind](samples=500, seed=seed)
    assert task.x.dtype == task.y.dtype == np.float32
    assert task.x.shape == (500, 1)
    assert task.y.shape == (500,)
    assert task.x.min() >= 0
    assert task.x.max() <= 1
    exact = task.evaluate(task.x[:, 0])
    assert exact.dtype == np.float64
    assert np.array_equal(task.y, exact.astype(np.float32))
    for x, y in zip(task.x[:50, 0].tolist(), exact[:50], strict=True):
        assert y == pytest.approx(read(task.formula, x), abs=2e-2 if kind == "interval" else 2e-3)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_seed_decides_and_10_000_points_are_drawn(kind):
    first, second, other = (MAKERS[kind](seed=seed) for seed in (3, 3, 4))
    assert len(first.x) == 10_000
    assert np.array_equal(first.x, second.x)
    assert np.array_equal(first.y, second.y)
    assert first.formula == second.formula
    assert not np.array_equal(first.x, other.x)
    assert (first.formula == other.formula) == (kind == "monomial")


def test_x_is_uniform():
    x = sparse_polynomial(5, seed=0).x[:, 0]
    counts, _ = np.histogram(x, bins=10, range=(0, 1))
    assert np.abs(counts - 1000).max() < 120  # four standard deviations


@given(st.integers(0, 30), st.integers(0, 2**32), st.data())
@settings(deadline=None)
def test_sparse_polynomials_have_the_degree_and_the_terms(degree, seed, data):
    terms = data.draw(st.integers(1, degree + 1))
    polynomial = sparse_polynomial(degree, terms=terms, samples=3, seed=seed).function
    assert len(polynomial.degrees) == len(polynomial.coefficients) == terms
    assert list(polynomial.degrees) == sorted(set(polynomial.degrees))
    assert polynomial.degrees[-1] == degree
    assert polynomial.degrees[0] >= 0
    assert all(0.5 <= abs(c) <= 1 for c in polynomial.coefficients)
    dense = polynomial.dense()
    assert len(dense) == degree + 1
    assert np.count_nonzero(dense) == terms
    x = np.linspace(0, 1, 11).reshape(1, 11)
    np.testing.assert_allclose(polynomial(x), np.polynomial.Polynomial(dense)(x), atol=1e-13)


def test_degrees_and_signs_vary():
    drawn = [sparse_polynomial(9, terms=3, samples=1, seed=seed).function for seed in range(200)]
    assert {d for p in drawn for d in p.degrees} == set(range(10))
    positive = np.mean([c > 0 for p in drawn for c in p.coefficients])
    assert 0.4 < positive < 0.6


def test_frequencies_are_whole_and_the_highest_is_there():
    x = np.arange(64) / 64
    for seed in range(20):
        spectrum = np.fft.rfft(trigonometric(9, terms=4, samples=1, seed=seed).evaluate(x)) / 32
        found = np.flatnonzero(np.abs(spectrum) > 1e-9)
        assert len(found) == 4
        assert found[-1] == 9
        assert found[0] >= 1
        parts = np.abs([spectrum[found].real, spectrum[found].imag])
        assert np.all((parts >= 0.5 - 1e-9) & (parts <= 1 + 1e-9))


def test_each_interval_has_its_polynomial():
    steep = interval_polynomials(4, 5, terms=3, steepness=1e5, seed=1)
    smooth = interval_polynomials(4, 5, terms=3, seed=1)
    assert steep.function.edges == (0.25, 0.5, 0.75)
    for i, piece in enumerate(steep.function.pieces):
        x = np.linspace(i / 4 + 0.01, i / 4 + 0.24, 20)
        np.testing.assert_allclose(steep.evaluate(x), piece(x), atol=1e-12)
        middle = np.array([i / 4 + 0.125])
        np.testing.assert_allclose(smooth.evaluate(middle), piece(middle), atol=1e-4)
    assert len(set(steep.function.pieces)) == 4
    one = interval_polynomials(1, 5, samples=10, seed=1)
    assert np.array_equal(one.y, one.function.pieces[0](one.x[:, 0]).astype(np.float32))


def test_formulas_are_readable():
    assert monomial(0, samples=1, seed=0).formula == "y = 1"
    assert monomial(1, coefficient=-2, samples=1, seed=0).formula == "y = -2 x"
    assert str(SparsePolynomial((0, 1, 3), (-1.0, 2.0, -0.123456))) == "-1 + 2 x - 0.1235 x^3"
    formula = interval_polynomials(2, 0, terms=1, samples=1, seed=0).formula
    assert re.fullmatch(
        r"y = \(1 - s\(100 \(x - 0\.5\)\)\) \(\S+\) \+ \(s\(100 \(x - 0\.5\)\)\) \(\S+\)", formula
    )


def test_values_keep_the_shape():
    for make in MAKERS.values():
        task = make(samples=1, seed=0)
        assert task.evaluate(0.5).shape == ()
        assert task.evaluate([[0.1, 0.2]]).shape == (1, 2)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: monomial(-1, seed=0), "degree: expected at least 0, got -1"),
        (lambda: monomial(1, samples=0, seed=0), "samples"),
        (lambda: monomial(1, coefficient=float("nan"), seed=0), "coefficient"),
        (lambda: sparse_polynomial(3, terms=5, seed=0), "terms: expected at most 4, got 5"),
        (lambda: sparse_polynomial(3, terms=0, seed=0), "terms: expected at least 1"),
        (lambda: trigonometric(0, terms=1, seed=0), "frequency"),
        (lambda: trigonometric(3, terms=4, seed=0), "terms: expected at most 3, got 4"),
        (lambda: interval_polynomials(0, 3, seed=0), "pieces"),
        (lambda: interval_polynomials(2, 3, terms=9, seed=0), "terms"),
        (lambda: interval_polynomials(2, 3, steepness=0, seed=0), "steepness"),
        (lambda: interval_polynomials(2, 3, steepness=float("inf"), seed=0), "steepness"),
        (lambda: monomial(-1, samples=0, seed=0), r"degree.*samples"),
    ],
)
def test_bad_numbers_are_refused(make, word):
    with pytest.raises(DataError, match=word):
        make()
