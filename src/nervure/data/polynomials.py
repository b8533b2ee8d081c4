"""Functions of one number to learn: monomials, sparse polynomials, waves, and pieces joined.

The kinds of task in the code that the authors of FreeNets published beside their paper; x is
uniform in [0, 1] in all of them. Coefficients have a random sign and a magnitude uniform in
[0.5, 1], so that no term is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nervure.errors import DataError

Values = NDArray[np.float64]

SAMPLES = 10_000


@dataclass(frozen=True, eq=False)
class FunctionTask:
    """Samples of a function of one number, and the function.

    Attributes
    ----------
    name : str
    formula : str
        The function written down, its numbers to 4 digits.
    x : ndarray of float32, shape (samples, 1)
        In [0, 1].
    y : ndarray of float32, shape (samples,)
        The function at `x`, worked out in float64 and rounded once.
    function : callable
        From float64 to float64, elementwise; see `evaluate`.
    """

    name: str
    formula: str
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    function: Callable[[Values], Values] = field(repr=False)

    def evaluate(self, x: ArrayLike) -> Values:
        """Give the function in float64 at other points, in the shape of `x`."""
        return self.function(np.asarray(x, dtype=np.float64))


@dataclass(frozen=True)
class SparsePolynomial:
    """Sum of coefficients times powers of x, of which few are there.

    Attributes
    ----------
    degrees : tuple of int
        Rising.
    coefficients : tuple of float
        One per degree.
    """

    degrees: tuple[int, ...]
    coefficients: tuple[float, ...]

    def __call__(self, x: Values) -> Values:
        """Give the value at each x."""
        powers = x[..., None] ** np.array(self.degrees)
        return np.asarray(powers @ np.array(self.coefficients))

    def __str__(self) -> str:
        """Write the sum, lowest degree first."""
        names = {0: "", 1: "x"}
        return _sum(
            (coefficient, names.get(degree, f"x^{degree}"))
            for degree, coefficient in zip(self.degrees, self.coefficients, strict=True)
        )

    def dense(self) -> Values:
        """Give the coefficients of x^0, x^1, ..., zeros included, shape (degree + 1,)."""
        every = np.zeros(self.degrees[-1] + 1)
        every[list(self.degrees)] = self.coefficients
        return every


@dataclass(frozen=True)
class _Waves:
    frequencies: tuple[int, ...]
    sines: tuple[float, ...]
    cosines: tuple[float, ...]

    def __call__(self, x: Values) -> Values:
        angles = 2 * np.pi * x[..., None] * np.array(self.frequencies)
        value = np.sin(angles) @ np.array(self.sines) + np.cos(angles) @ np.array(self.cosines)
        return np.asarray(value)

    def __str__(self) -> str:
        return _sum(
            (amplitude, f"{name}({2 * frequency} pi x)")
            for frequency, *amplitudes in zip(
                self.frequencies, self.sines, self.cosines, strict=True
            )
            for amplitude, name in zip(amplitudes, ("sin", "cos"), strict=True)
        )


@dataclass(frozen=True)
class _Pieces:
    pieces: tuple[SparsePolynomial, ...]
    edges: tuple[float, ...]
    steepness: float

    def __call__(self, x: Values) -> Values:
        # s(z) = (1 + tanh(z / 2)) / 2 is the sigmoid, and does not overflow.
        past = [0.5 + 0.5 * np.tanh(self.steepness * (x - edge) / 2) for edge in self.edges]
        past = [np.ones_like(x), *past, np.zeros_like(x)]
        value = np.zeros_like(x)
        for before, after, piece in zip(past, past[1:], self.pieces, strict=False):
            value += (before - after) * piece(x)
        return value

    def __str__(self) -> str:
        past = [f"s({self.steepness:.4g} (x - {edge:.4g}))" for edge in self.edges]
        shares = [" - ".join(pair) for pair in zip(["1", *past], [*past, "0"], strict=True)]
        return " + ".join(
            f"({share.removesuffix(' - 0')}) ({piece})"
            for share, piece in zip(shares, self.pieces, strict=True)
        )


def monomial(
    degree: int, *, coefficient: float = 1.0, samples: int = SAMPLES, seed: int
) -> FunctionTask:
    """Give samples of a x^N.

    Parameters
    ----------
    degree : int
        N, at least 0.
    coefficient : float
        a, finite.
    samples : int
    seed : int
        For x.

    Returns
    -------
    FunctionTask

    Raises
    ------
    DataError
        If a number is out of range.

    Examples
    --------
    >>> from nervure.data.polynomials import monomial
    >>> task = monomial(5, coefficient=2.0, samples=100, seed=0)
    >>> task.formula, task.x.shape, task.y.shape, task.evaluate(0.5).item()
    ('y = 2 x^5', (100, 1), (100,), 0.0625)
    """
    _check({"degree": (degree, 0), "samples": (samples, 1)})
    if not np.isfinite(coefficient):
        raise DataError(f"coefficient: expected a finite number, got {coefficient}")
    function = SparsePolynomial((degree,), (float(coefficient),))
    return _task(f"monomial {degree}", function, samples, np.random.default_rng(seed))


def sparse_polynomial(
    degree: int, *, terms: int = 4, samples: int = SAMPLES, seed: int
) -> FunctionTask:
    """Give samples of a polynomial of few terms: x^degree, and others of random lower degrees.

    Parameters
    ----------
    degree : int
        At least 0.
    terms : int
        At most degree + 1.
    samples : int
    seed : int
        For the function and for x.

    Returns
    -------
    FunctionTask
        Its function is a `SparsePolynomial`.

    Raises
    ------
    DataError
        If a number is out of range.

    Examples
    --------
    >>> from nervure.data.polynomials import sparse_polynomial
    >>> sparse_polynomial(12, terms=3, seed=0).function.degrees[-1]
    12
    """
    _check({"degree": (degree, 0), "terms": (terms, 1), "samples": (samples, 1)})
    _check_terms(terms, degree)
    generator = np.random.default_rng(seed)
    function = _draw_polynomial(degree, terms, generator)
    return _task(f"sparse polynomial {degree}, {terms} terms", function, samples, generator)


def trigonometric(
    frequency: int, *, terms: int = 4, samples: int = SAMPLES, seed: int
) -> FunctionTask:
    """Give samples of a sum of sines and cosines of random whole frequencies.

    y = sum over f of a_f sin(2 pi f x) + b_f cos(2 pi f x). Whole frequencies, because these waves
    are orthogonal on [0, 1]: each adds to the function what no other can, and the highest one,
    which is always there, says how hard the task is, as the degree does for polynomials.

    Parameters
    ----------
    frequency : int
        The highest, at least 1.
    terms : int
        Frequencies, at most `frequency`.
    samples : int
    seed : int
        For the function and for x.

    Returns
    -------
    FunctionTask

    Raises
    ------
    DataError
        If a number is out of range.

    Examples
    --------
    >>> from nervure.data.polynomials import trigonometric
    >>> trigonometric(1, terms=1, seed=0).formula
    'y = 0.6349 sin(2 pi x) + 0.5205 cos(2 pi x)'
    """
    _check({"frequency": (frequency, 1), "terms": (terms, 1), "samples": (samples, 1)})
    _check_terms(terms, frequency - 1)
    generator = np.random.default_rng(seed)
    chosen = _below(frequency, terms, generator, first=1)
    function = _Waves(chosen, _amplitudes(terms, generator), _amplitudes(terms, generator))
    return _task(f"trigonometric {frequency}, {terms} terms", function, samples, generator)


def interval_polynomials(
    pieces: int,
    degree: int,
    *,
    terms: int = 4,
    steepness: float = 100.0,
    samples: int = SAMPLES,
    seed: int,
) -> FunctionTask:
    """Give samples of a function that is another sparse polynomial on each part of [0, 1].

    y = sum over parts i of (s(k (x - e_i)) - s(k (x - e_(i+1)))) p_i(x) with the sigmoid s and
    equal parts, whose edges are e_i; at the ends of [0, 1] nothing is cut.

    Parameters
    ----------
    pieces : int
        Parts, at least 1.
    degree, terms : int
        Of each part's polynomial, as for `sparse_polynomial`.
    steepness : float
        k, above 0: one part passes into the next over a length of about 4 / k.
    samples : int
    seed : int
        For the function and for x.

    Returns
    -------
    FunctionTask

    Raises
    ------
    DataError
        If a number is out of range.

    Examples
    --------
    >>> from nervure.data.polynomials import interval_polynomials
    >>> interval_polynomials(3, 8, seed=0).name
    'interval polynomials 3 x 8, 4 terms'
    """
    _check(
        {"pieces": (pieces, 1), "degree": (degree, 0), "terms": (terms, 1), "samples": (samples, 1)}
    )
    _check_terms(terms, degree)
    if not 0 < steepness < np.inf:
        raise DataError(f"steepness: expected above 0 and finite, got {steepness}")
    generator = np.random.default_rng(seed)
    function = _Pieces(
        tuple(_draw_polynomial(degree, terms, generator) for _ in range(pieces)),
        tuple(i / pieces for i in range(1, pieces)),
        steepness,
    )
    name = f"interval polynomials {pieces} x {degree}, {terms} terms"
    return _task(name, function, samples, generator)


def _task(
    name: str, function: Callable[[Values], Values], samples: int, generator: np.random.Generator
) -> FunctionTask:
    x = generator.random((samples, 1), dtype=np.float32)
    y = function(x[:, 0].astype(np.float64)).astype(np.float32)
    return FunctionTask(name, f"y = {function}", x, y, function)


def _draw_polynomial(degree: int, terms: int, generator: np.random.Generator) -> SparsePolynomial:
    degrees = _below(degree, terms, generator, first=0)
    return SparsePolynomial(degrees, _amplitudes(terms, generator))


def _below(last: int, count: int, generator: np.random.Generator, *, first: int) -> tuple[int, ...]:
    """Draw different whole numbers from `first` to `last`, the last always among them."""
    others = generator.choice(np.arange(first, last), size=count - 1, replace=False)
    return (*sorted(others.tolist()), last)


def _amplitudes(count: int, generator: np.random.Generator) -> tuple[float, ...]:
    signs = generator.choice([-1.0, 1.0], size=count)
    return tuple((signs * generator.uniform(0.5, 1, size=count)).tolist())


def _sum(terms: Iterable[tuple[float, str]]) -> str:
    """Write (coefficient, factor) pairs as a sum: 2 x^3 - 0.5 x^4."""
    text = "".join(
        f" {'-' if c < 0 else '+'} {abs(c):.4g} {factor}".rstrip() for c, factor in terms
    )
    return text.removeprefix(" + ") if text.startswith(" +") else f"-{text.removeprefix(' - ')}"


def _check(numbers: dict[str, tuple[int, int]]) -> None:
    problems = [
        f"{name}: expected at least {least}, got {value}"
        for name, (value, least) in numbers.items()
        if value < least
    ]
    if problems:
        raise DataError("; ".join(problems))


def _check_terms(terms: int, others: int) -> None:
    if terms > others + 1:
        raise DataError(f"terms: expected at most {others + 1}, got {terms}")
