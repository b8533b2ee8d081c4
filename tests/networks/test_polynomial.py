"""Theorem 1 of the FreeNets paper, as far as it is true."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev

from nervure import FreeNet, load_model, save_model
from nervure.errors import EngineError
from nervure.networks.polynomial import exact_polynomial, neurons_needed

PROMISE = 1e-9
HIGHEST = 24

unit = st.floats(-1, 1, allow_nan=False)
# Coefficients over 20 orders of magnitude, and zeros.
number = st.builds(lambda m, e: m * 10.0**e, unit, st.integers(-10, 10))


@st.composite
def domains(draw, farthest=100):
    """Intervals of any scale, at most `farthest` times as far from zero as they are wide."""
    low = draw(st.floats(-farthest, farthest - 1))
    scale = draw(st.sampled_from([1e-3, 1.0, 7.3]))
    return scale * low, scale * (low + 1)


def value(coefficients, x):
    """The polynomial without any rounding."""
    total = Fraction(0)
    for coefficient in reversed(coefficients):
        total = total * Fraction(x) + Fraction(coefficient)
    return total


def points(domain, count=60):
    """Ends, and points between that crowd at the ends, where polynomials are steepest."""
    low, high = domain
    cosines = np.cos(np.linspace(0, np.pi, count))
    return np.clip((low + high) / 2 + (high - low) / 2 * cosines, low, high)


def run(network, x):
    with torch.no_grad():
        return network(torch.tensor(x, dtype=torch.float64)[:, None])[:, 0].tolist()


def relative_error(coefficients, domain):
    x = points(domain)
    expected = [value(coefficients, at) for at in x]
    largest = max(map(abs, expected))
    found = run(exact_polynomial(coefficients, domain), x)
    error = max(abs(Fraction(f) - e) for f, e in zip(found, expected, strict=True))
    return float(error / largest) if largest else float(error)


def chebyshev_on(degree, domain):
    """Power coefficients, in exact numbers, of T_degree stretched over the domain."""
    low, high = map(Fraction, domain)
    slope, offset = 2 / (high - low), (high + low) / (low - high)
    result = [Fraction(0)]
    for power in reversed(chebyshev.cheb2poly([0] * degree + [1])):
        times = [Fraction(0)] * (len(result) + 1)
        for d, c in enumerate(result):
            times[d] += offset * c
            times[d + 1] += slope * c
        times[0] += int(power)
        result = times
    return result[: degree + 1]


@given(st.lists(number, min_size=1, max_size=HIGHEST + 1), domains())
@settings(deadline=None, max_examples=150)
@example([0.0], (0.0, 1.0))
@example([3.5], (-2.0, -1.0))
@example([0.0, 1.0], (33.1, 33.43))
@example([0.0] * HIGHEST + [1.0], (-1.0, 1.0))
def test_equals_the_polynomial_on_its_domain(coefficients, domain):
    largest = max(abs(value(coefficients, x)) for x in points(domain))
    assume(largest == 0 or largest > 1e-200)  # below, float64 has fewer digits
    assert relative_error(coefficients, domain) < PROMISE


@pytest.mark.parametrize("degree", range(HIGHEST + 1))
def test_measured_on_the_hardest_polynomials(degree):
    """T_d has the largest coefficients of all polynomials of its degree between -1 and 1."""
    assert relative_error([float(c) for c in chebyshev_on(degree, (-1, 1))], (-1.0, 1.0)) < 3e-12
    # On [0, 1] the coefficients no longer fit into float64 at high degrees; those of low ones do.
    shifted = [float(c) for c in chebyshev_on(degree, (0, 1))]
    assert relative_error(shifted, (0.0, 1.0)) < 3e-12


@pytest.mark.parametrize("degree", range(1, 13))
def test_in_exact_arithmetic_the_network_is_the_polynomial(degree):
    """Run with its own weights in fractions: no tolerance, and no polynomial of another basis."""
    generator = np.random.default_rng(degree)
    coefficients = [float(c) for c in generator.integers(-5, 6, degree + 1)]
    coefficients[-1] = 1.0
    network = exact_polynomial(coefficients, (-1.0, 1.0))
    edges = list(zip(network.topology.edges.tolist(), network.core.weight.tolist(), strict=True))
    encoder, bias = network.encoder.weight[:, 0].tolist(), network.encoder.bias.tolist()
    for x in [Fraction(i, 7) for i in range(-7, 8)]:
        values = []
        for i, (u, b) in enumerate(zip(encoder, bias, strict=True)):
            z = Fraction(u) * x + Fraction(b)
            z += sum(Fraction(w) * values[s] for (s, t), w in edges if t == i)
            assert z >= 0
            values.append(z * z)
        decoder = network.decoder.weight[0].tolist()
        y = sum(Fraction(w) * a for w, a in zip(decoder, values, strict=True))
        assert y + Fraction(network.decoder.bias.item()) == value(coefficients, x)


@pytest.mark.parametrize("degree", range(HIGHEST + 1))
def test_neurons_and_edges(degree):
    network = exact_polynomial([1.0] * (degree + 1), (0.0, 1.0))
    expected = {0: 1, 1: 2}.get(degree, degree if degree % 2 == 0 else degree + 1)
    assert network.topology.num_nodes == neurons_needed(degree) == expected
    assert bool((network.core.weight != 0).all())  # no edge that is not needed
    assert network.topology.num_edges < expected * (expected - 1) / 2 or expected < 3
    assert set(network.core.activation) == {"squared_relu"}
    assert {p.dtype for p in network.parameters()} == {torch.float64}


def test_zeros_at_the_end_do_not_count():
    assert exact_polynomial([1.0, 2.0, 0.0, -0.0], (0.0, 1.0)).topology.num_nodes == 2
    assert exact_polynomial([0.0, 0.0], (0.0, 1.0)).topology.num_nodes == 1


@pytest.mark.parametrize("degree", [0, 2, 9])
def test_is_a_network_like_any_other(degree, tmp_path):
    before = torch.get_rng_state()
    network = exact_polynomial([0.5] * (degree + 1), (-1.0, 2.0))
    assert torch.equal(before, torch.get_rng_state())
    save_model(tmp_path / "p.safetensors", network, metadata={})
    loaded = load_model(tmp_path / "p.safetensors").network
    x = points((-1.0, 2.0))
    assert run(loaded, x) == run(network, x)
    network(torch.ones(3, 1, dtype=torch.float64)).sum().backward()
    assert all(p.grad is not None for p in network.parameters() if p.numel())


small = st.fractions(-8, 8, max_denominator=16)


@given(small, small, small, small)
@settings(deadline=None)
def test_one_neuron_is_no_line_with_a_slope(a, b, c, d):
    """The printed theorem at k = 1: c relu(a x + b)^2 + d against the polynomials of degree 1.

    Every line has second differences of zero. Where the neuron is active, the function's are
    2 c a^2 h^2, so that it is a line there only if it is constant; where it is silent, it is
    constant. One of the two holds on some interval inside [0, 1].
    """

    def f(x):
        return c * max(a * x + b, Fraction(0)) ** 2 + d

    cuts = sorted({Fraction(0), Fraction(1)} | ({-b / a} if a and 0 < -b / a < 1 else set()))
    for left, right in pairwise(cuts):
        h = (right - left) / 2
        second = f(left) - 2 * f(left + h) + f(right)
        constant = f(left) == f(left + h) == f(right)
        active = a * (left + h) + b > 0
        assert second == (2 * c * a**2 * h**2 if active else 0)
        assert constant or second != 0


def test_one_neuron_comes_as_near_to_a_line_as_one_likes():
    """So that "exactly" is what fails for k = 1: the best error has no lower bound but zero."""
    x = np.linspace(0, 1, 101)
    for far in (10.0, 1e3, 1e5):
        network = FreeNet(1, 1, neurons=1, activation="squared_relu", seed=0).double()
        with torch.no_grad():
            network.encoder.weight.fill_(1)
            network.encoder.bias.fill_(far)
            network.decoder.weight.fill_(1 / (2 * far))
            network.decoder.bias.fill_(-far / 2)
        error = np.array(run(network, x)) - x
        np.testing.assert_allclose(error, x**2 / (2 * far), rtol=1e-3, atol=1e-10)
        assert 0 < error.max() < 0.51 / far


@pytest.mark.parametrize(
    ("coefficients", "domain", "word"),
    [
        ([], (0, 1), "coefficients: expected at least one"),
        ([1.0, float("nan")], (0, 1), "coefficients: .* finite"),
        ([float("inf")], (0, 1), "coefficients: .* finite"),
        (["x"], (0, 1), "expected numbers"),
        ([1j], (0, 1), "expected numbers"),
        ([10**400], (0, 1), "expected numbers"),
        ([1.0], (1, 1), "low < high"),
        ([1.0], (2, 1), "low < high"),
        ([1.0], (0, float("inf")), "domain: .* finite"),
        ([1.0], (float("nan"), 1), "domain: .* finite"),
        ([1.0], (0, 1, 2), "domain"),
        ([1.0], (), "domain"),
        ([1.0], None, "expected numbers"),
        ([0.0, 0.0, 1.0], (-1e200, 1e200), "beyond the range of float64"),
        ([0.0, 1.0], (0.0, 5e-324), "beyond the range of float64"),
    ],
)
def test_bad_arguments_are_refused(coefficients, domain, word):
    with pytest.raises(EngineError, match=word):
        exact_polynomial(coefficients, domain)


def test_negative_degree_is_refused():
    with pytest.raises(EngineError, match="degree"):
        neurons_needed(-1)
