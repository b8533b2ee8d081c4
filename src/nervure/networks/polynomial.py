"""`exact_polynomial`: a FreeNet of squared rectifiers that is a given polynomial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from nervure.errors import EngineError
from nervure.networks.freenet import FreeNet
from nervure.topology import Topology


def neurons_needed(degree: int) -> int:
    """Give the number of neurons that `exact_polynomial` uses for a degree.

    Parameters
    ----------
    degree : int
        At least 0.

    Returns
    -------
    int
        1 for degree 0 (a FreeNet has a neuron, here an idle one), `degree` for even degrees and
        `degree` + 1 for odd ones. Enough for every polynomial; single ones may need fewer.

    Raises
    ------
    EngineError
        If the degree is negative.

    Examples
    --------
    >>> from nervure.networks.polynomial import neurons_needed
    >>> [neurons_needed(degree) for degree in range(7)]
    [1, 2, 2, 4, 4, 6, 6]
    """
    if degree < 0:
        raise EngineError(f"degree: expected at least 0, got {degree}")
    return max(1, degree + degree % 2)


def exact_polynomial(coefficients: Iterable[float], domain: Sequence[float]) -> FreeNet:
    """Build the FreeNet that equals a polynomial on an interval.

    Parameters
    ----------
    coefficients : iterable of float
        Of x^0, x^1, ...: finite, at least one. Zeros at the end do not raise the degree.
    domain : (low, high)
        Closed interval of x, finite, low < high. Outside of it the rectifiers cut in and the
        network is another function.

    Returns
    -------
    FreeNet
        One input, one output, `neurons_needed` squared rectifiers, float64, and no edge that it
        does not need.

    Raises
    ------
    EngineError
        If an argument is not as said, or a weight is beyond the range of float64.

    Notes
    -----
    In exact arithmetic the network is the polynomial. In float64 it differs from it by less than
    1e-9 of its largest magnitude on the domain, for degrees up to 24 and an offset
    max(|low|, |high|) up to 100 (high - low); tests/networks/test_polynomial.py holds it to that
    and found 1e-12 where the offset is at most high - low, 2e-11 at 100 times that. The error grows
    with the offset, because the encoder rounds where it subtracts it.

    Construction: with s running over [-1, 1] as x does over the domain and T_d the Chebyshev
    polynomials, two neurons give T_1 and T_2::

        (1 + s)^2 - (1 - s)^2 = 4 T_1,    (1 + s)^2 + (1 - s)^2 = T_2 + 3,

    and for m = 2, 3, ... two more give T_2m and T_(2m-1) from earlier ones, because
    ``2 T_i T_j = T_(i+j) + T_|i-j|``::

        (1 + T_m)^2 = (T_2m + 4 T_m + 3) / 2,
        (2 + T_m + T_(m-1))^2
            = T_(2m-1) + T_1 + (T_2m + T_(2m-2)) / 2 + 4 (T_m + T_(m-1)) + 5.

    No pre-activation is negative, since |T_d| <= 1, so that the rectifier does not show; and the
    decoder combines T_1, T_2, ... with the polynomial's Chebyshev coefficients, found in rational
    arithmetic. Neurons that make monomials of a positive x are as good on paper, but on [0, 1] a
    polynomial between -1 and 1 can have coefficients of 1e17 at degree 24, and of float64's 16
    digits their cancellation leaves 5 at degree 16 and none at degree 22.

    Theorem 1 of the paper says that k neurons do for degree k. Its proof squares h_(d-1) to get
    h_d = x^(2^d) and then takes all monomials up to degree k as made, which k squarings skip most
    of; the product of two neurons, which the proof uses for the degrees between, costs a neuron of
    its own. For k = 1 the statement fails: c relu(a x + b)^2 + d is constant where the neuron is
    silent and has second derivative 2 c a^2 where it is not, so that it is no line with a slope on
    any interval, even though a large b brings it as near to one as one likes.

    Paper: freenets, Theorem 1, put right.

    Examples
    --------
    >>> import torch
    >>> from nervure.networks.polynomial import exact_polynomial
    >>> net = exact_polynomial([1.0, 0.0, -2.0, 1.0], (-1.0, 3.0))
    >>> net(torch.tensor([[-1.0], [0.5], [3.0]], dtype=torch.float64)).flatten().tolist()
    [-2.0, 0.625, 10.0]
    """
    powers, low, high = _checked(coefficients, domain)
    neurons = neurons_needed(len(powers) - 1)
    squares, basis = _construction(neurons)

    # s = slope x + offset, put into what a row says of 1 and s.
    slope, offset = 2 / (high - low), (high + low) / (low - high)
    encoder = [slope * Fraction(row[1]) for row in squares]
    bias = [Fraction(row[0]) + offset * Fraction(row[1]) for row in squares]

    # The decoder sees neurons only, and reads s as a quarter of the first less the second.
    readout = [Fraction(0)] * basis.shape[1]
    for share, row in zip(_chebyshev(powers, low, high), basis, strict=False):
        readout = [r + share * Fraction(w) for r, w in zip(readout, row, strict=True)]
    readout[2] += readout[1] / 4
    readout[3] -= readout[1] / 4

    core = squares[:, 2 : 2 + neurons]
    targets, sources = np.nonzero(core)
    every = np.arange(neurons, dtype=np.int32)
    topology = Topology.from_edges(np.stack([sources, targets], axis=1), neurons, every, every)
    network = FreeNet(
        1, 1, neurons=neurons, activation="squared_relu", topology=topology, seed=0
    ).double()
    with torch.no_grad():
        network.encoder.weight.copy_(_floats(encoder)[:, None])
        network.encoder.bias.copy_(_floats(bias))
        network.core.weight.copy_(torch.from_numpy(core[topology.targets, topology.sources]))
        network.decoder.weight.copy_(_floats(readout[2 : 2 + neurons])[None])
        network.decoder.bias.copy_(_floats(readout[:1]))
    return network


def _checked(
    coefficients: Iterable[float], domain: Sequence[float]
) -> tuple[list[Fraction], Fraction, Fraction]:
    """Take coefficients without zeros at the end, and the interval, as exact numbers."""
    try:
        values = [float(value) for value in coefficients]
        ends = [float(end) for end in domain]
    except (TypeError, ValueError, OverflowError) as error:
        raise EngineError(f"coefficients and domain: expected numbers ({error})") from error
    problems = []
    if not values or not all(map(math.isfinite, values)):
        problems.append(f"coefficients: expected at least one, all finite, got {values}")
    if len(ends) != 2 or not all(map(math.isfinite, ends)) or ends[0] >= ends[-1]:
        problems.append(f"domain: expected (low, high), finite, low < high, got {tuple(ends)}")
    if problems:
        raise EngineError("; ".join(problems))
    while len(values) > 1 and values[-1] == 0:
        values.pop()
    return [Fraction(value) for value in values], Fraction(ends[0]), Fraction(ends[1])


def _chebyshev(powers: Sequence[Fraction], low: Fraction, high: Fraction) -> list[Fraction]:
    """Expand sum_d powers[d] x^d in T_d(s), x = (low + high + (high - low) s) / 2."""
    middle, half = (low + high) / 2, (high - low) / 2
    found = [Fraction(0)] * len(powers)
    for power in reversed(powers):  # Horner's scheme, with s T_d = (T_(d+1) + T_|d-1|) / 2
        times_s = [Fraction(0)] * (len(found) + 1)
        for d, value in enumerate(found):
            times_s[d + 1] += value / 2
            times_s[abs(d - 1)] += value / 2
        found = [middle * f + half * s for f, s in zip(found, times_s, strict=False)]
        found[0] += power
    return found


def _construction(neurons: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give what each neuron squares, and T_0, T_1, ..., as combinations of 1, s and neurons.

    Two arrays whose columns stand for 1, s, neuron 0, neuron 1, ... (two neurons at least). Their
    entries are small multiples of powers of two, so that float64 holds them exactly.
    """
    pairs = (neurons + 1) // 2
    given = np.eye(2 * pairs + 2)
    one, s, outputs = given[0], given[1], given[2:]
    squares = [one + s, one - s]
    basis = [one, s, outputs[0] + outputs[1] - 3 * one]
    for m in range(2, pairs + 1):
        both = basis[m] + basis[m - 1]
        squares += [one + basis[m], 2 * one + both]
        even = 2 * outputs[2 * m - 2] - 4 * basis[m] - 3 * one
        odd = outputs[2 * m - 1] - (even + basis[2 * m - 2]) / 2 - s - 4 * both - 5 * one
        basis += [odd, even]
    return np.stack(squares[:neurons]), np.stack(basis)


def _floats(values: Iterable[Fraction]) -> torch.Tensor:
    try:
        return torch.tensor([float(value) for value in values], dtype=torch.float64)
    except OverflowError as error:
        raise EngineError(
            "a weight is beyond the range of float64: choose smaller coefficients, or a domain "
            "that is neither so wide nor so narrow"
        ) from error
