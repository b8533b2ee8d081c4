"""Raw segments must give the features of the repacked file, which this file's own values prove."""

import os
from pathlib import Path

import numpy as np
import pytest

from nervure.data.activity import (
    ACTIVITIES,
    CHANNELS,
    LAGS,
    as_published,
    segment_feature_names,
    segment_features,
)

CORRELATIONS, PEAK, FREQUENCY = slice(6, 10), 10, 11


@pytest.fixture(scope="module")
def published():
    folder = os.environ.get("NERVURE_DATA")
    if folder is None or not (Path(folder) / "daily_sports.npz").exists():
        pytest.skip("NERVURE_DATA does not hold daily_sports.npz")
    with np.load(Path(folder) / "daily_sports.npz") as file:
        return {name: file[name] for name in ("X", "class_names", "feature_names")}


def straightforward(values):
    """The features of one channel, sample by sample and sum by sum."""
    n = len(values)
    mean = sum(values) / n
    centred = [v - mean for v in values]
    moments = [sum(c**k for c in centred) / n for k in (2, 3, 4)]
    features = [min(values), max(values), mean, moments[0]]
    features += [moments[1] / moments[0] ** 1.5, moments[2] / moments[0] ** 2]
    for lag in (5, 10, 25, 50):
        products = [centred[t] * centred[t + lag] for t in range(n - lag)]
        features.append(sum(products) / len(products) / moments[0])
    size = {
        k: abs(sum(c * np.exp(-2j * np.pi * k * t / n) for t, c in enumerate(centred))) / n
        for k in range(1, n // 2 + 1)
    }
    peaks = [k for k in size if size[k] > size.get(k - 1, -1) and size[k] >= size.get(k + 1, -1)]
    peaks = sorted(peaks, key=lambda k: -size[k])[:3]
    for k in peaks:
        features += [size[k], k * 25 / n]
    return features + [0.0] * (16 - len(features))


@pytest.mark.parametrize("seed", range(3))
def test_features_follow_the_straightforward_formulas(seed):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(125, 2)).cumsum(axis=0) + np.array([9.8, 0.0])
    expected = [f for c in range(2) for f in straightforward(signal[:, c].tolist())]
    np.testing.assert_allclose(segment_features(signal), expected, rtol=1e-8, atol=1e-10)


def test_a_constant_channel_has_no_shape():
    features = segment_features(np.full((125, 1), 3.0))
    assert features[:4].tolist() == [3.0, 3.0, 3.0, 0.0]
    assert (features[4:] == 0).all()


def test_rounding_keeps_four_digits_and_ten_bits():
    # 0.2 and 12.4 Hz stand in the repacked file as these; 1234.56 has four digits, then 11 bits.
    values = np.array([0.2, 12.4, -12.4, 0.0, 1234.56, 3.14159])
    expected = np.float32([0.199951171875, 12.3984375, -12.3984375, 0.0, 1235.0, 3.142578125])
    np.testing.assert_array_equal(as_published(values), expected)


def test_rounding_changes_nothing_published(published):
    x = published["X"]
    values = np.unique(x[::50].astype(np.float64))
    bits = values.astype(np.float32).view(np.uint32)
    assert (bits & 0x1FFF == 0).all()
    error = np.abs(as_published(values) - values) / np.where(values == 0, 1, np.abs(values))
    # A published value has already lost its decimal digits: one last place of either rounding.
    assert error.max() < 1e-3


def test_names_are_the_published_ones(published):
    assert tuple(published["class_names"].tolist()) == ACTIVITIES
    assert tuple(published["feature_names"].tolist()) == segment_feature_names()


def test_autocorrelation_is_a_mean_of_products(published):
    x = published["X"].astype(np.float64).reshape(-1, len(CHANNELS), 16)
    variance, peak, hertz = x[..., 3], x[..., PEAK], x[..., FREQUENCY]
    # Where one peak holds nearly all variance the channel is a sine, whose mean product is a
    # cosine of the lag. A sum over n instead of n - lag products would damp lag 50 to 0.6.
    sine = (2 * peak**2 > 0.97 * variance) & (hertz > 0.7)
    assert sine.sum() > 100
    for lag, given in zip(LAGS, np.moveaxis(x[..., CORRELATIONS], -1, 0), strict=True):
        cosine = np.cos(2 * np.pi * hertz[sine] * lag / 25)
        slope = (given[sine] * cosine).sum() / (cosine**2).sum()
        assert slope == pytest.approx(0.98, abs=0.015), lag
