"""Features of a segment of the Daily and Sports Activities data.

Sixteen per channel, in the spirit of Altun, Barshan and Tuncel 2010: minimum, maximum, mean,
variance, skewness, kurtosis; autocorrelation at four lags; and the three largest peaks of the
spectrum with their frequencies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 25.0
LAGS = (5, 10, 25, 50)
PEAKS = 3
UNITS = ("T", "RA", "LA", "RL", "LL")
SENSORS = ("xacc", "yacc", "zacc", "xgyro", "ygyro", "zgyro", "xmag", "ymag", "zmag")
CHANNELS = tuple(f"{unit}_{sensor}" for unit in UNITS for sensor in SENSORS)
FEATURES = (
    "min", "max", "mean", "var", "skew", "kurt",
    *(f"ac{lag}" for lag in LAGS),
    *(f"pk{i}{unit}" for i in range(1, PEAKS + 1) for unit in ("", "hz")),
)  # fmt: skip
ACTIVITIES = (
    "sitting", "standing", "lying_back", "lying_right", "stairs_up", "stairs_down",
    "elevator_still", "elevator_moving", "walking_parking", "treadmill_flat_4kmh",
    "treadmill_15deg_4kmh", "treadmill_run_8kmh", "stepper", "cross_trainer", "bike_horizontal",
    "bike_vertical", "rowing", "jumping", "basketball",
)  # fmt: skip


def segment_feature_names() -> tuple[str, ...]:
    """Names of the 720 features, channel by channel."""
    return tuple(f"{channel}_{feature}" for channel in CHANNELS for feature in FEATURES)


def segment_features(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the features of one segment.

    Parameters
    ----------
    signal : ndarray, shape (samples, channels)
        Sampled at 25 Hz.

    Returns
    -------
    ndarray, shape (16 * channels,)
        Moments are population moments; autocorrelation is the mean product of the centred signal
        with itself, lagged, relative to its variance (few products at a long lag: it can leave
        -1..1); peaks are the largest local maxima of |DFT of the centred signal| / samples, each
        followed by its frequency in Hz, zero where there are fewer than three.
    """
    return np.concatenate([_channel(signal[:, c]) for c in range(signal.shape[1])])


def as_published(features: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round as the repacked file does: to 4 significant digits, then to a 10-bit mantissa.

    Raw segments then give the very values of that file, and a model trained on either is the same.
    """
    size = np.abs(features)
    exponent = np.floor(np.log10(np.where(size > 0, size, 1.0)))
    scale = 10.0 ** (3 - exponent)
    mantissa, power = np.frexp(np.rint(features * scale) / scale)
    # frexp gives 0.5 <= |mantissa| < 1: its first bit is implicit, 10 more are kept.
    return np.ldexp(np.rint(mantissa * 2.0**11) / 2.0**11, power).astype(np.float32)


def _channel(values: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(values)
    mean = values.mean()
    centred = values - mean
    variance = float((centred**2).mean())
    safe = variance if variance > 0 else 1.0
    skewness = (centred**3).mean() / safe**1.5
    kurtosis = (centred**4).mean() / safe**2
    correlation = [(centred[:-lag] * centred[lag:]).mean() / safe for lag in LAGS]
    spectrum = np.abs(np.fft.rfft(centred)) / n
    inner = spectrum[1:]
    before = np.concatenate([[-np.inf], inner[:-1]])
    after = np.concatenate([inner[1:], [-np.inf]])
    # The spectrum of a constant is zero everywhere: no maximum.
    peaks = np.flatnonzero((inner > before) & (inner >= after) & (inner > 0))
    peaks = peaks[np.argsort(-inner[peaks], kind="stable")][:PEAKS]
    pairs = np.zeros(2 * PEAKS)
    pairs[0 : 2 * len(peaks) : 2] = inner[peaks]
    pairs[1 : 2 * len(peaks) : 2] = (peaks + 1) * RATE_HZ / n
    moments = [values.min(), values.max(), mean, variance, skewness, kurtosis]
    return np.concatenate([moments, correlation, pairs])
