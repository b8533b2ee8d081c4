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
    "sitting", "standing", "lying on back", "lying on right side", "ascending stairs",
    "descending stairs", "standing in elevator", "moving in elevator", "walking in parking lot",
    "treadmill flat", "treadmill inclined", "running on treadmill", "stepper", "cross trainer",
    "cycling horizontal", "cycling vertical", "rowing", "jumping", "playing basketball",
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
        Moments are population moments; autocorrelation is of the centred signal, relative to its
        variance; peaks are the largest local maxima of |DFT of the centred signal| / samples, each
        followed by its frequency in Hz, zero where there are fewer than three.
    """
    return np.concatenate([_channel(signal[:, c]) for c in range(signal.shape[1])])


def _channel(values: NDArray[np.float64]) -> NDArray[np.float64]:
    n = len(values)
    mean = values.mean()
    centred = values - mean
    variance = float((centred**2).mean())
    safe = variance if variance > 0 else 1.0
    skewness = (centred**3).mean() / safe**1.5
    kurtosis = (centred**4).mean() / safe**2
    correlation = [(centred[:-lag] * centred[lag:]).sum() / (n * safe) for lag in LAGS]
    spectrum = np.abs(np.fft.rfft(centred)) / n
    inner = spectrum[1:]
    before = np.concatenate([[-np.inf], inner[:-1]])
    after = np.concatenate([inner[1:], [-np.inf]])
    peaks = np.flatnonzero((inner > before) & (inner >= after))
    peaks = peaks[np.argsort(-inner[peaks], kind="stable")][:PEAKS]
    pairs = np.zeros(2 * PEAKS)
    pairs[0 : 2 * len(peaks) : 2] = inner[peaks]
    pairs[1 : 2 * len(peaks) : 2] = (peaks + 1) * RATE_HZ / n
    moments = [values.min(), values.max(), mean, variance, skewness, kurtosis]
    return np.concatenate([moments, correlation, pairs])
