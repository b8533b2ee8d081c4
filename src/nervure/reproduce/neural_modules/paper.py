"""Figures of the neural-modules paper, to stand beside ours."""

from __future__ import annotations

from collections.abc import Mapping

_SIZES = (80, 100, 200, 300, 500, 1000, 3000)

# Table 1, mean error over runs; None is "over time".
_ERRORS: dict[str, dict[str, tuple[float | None, ...]]] = {
    "codon": {
        "nn": (0.151, 0.152, 0.133, 0.130, 0.180, 0.159, 0.180),
        "deq": (0.147, 0.139, 0.128, 0.221, 0.275, None, None),
        "dag": (0.186, 0.167, 0.150, 0.172, 0.213, None, None),
        "optnet": (0.140, 0.150, 0.165, 0.143, 0.166, None, None),
        "nms": (0.157, 0.142, 0.127, 0.129, 0.155, 0.160, 0.179),
        "nms-l2": (0.158, 0.136, 0.128, 0.128, 0.150, 0.159, 0.178),
        "nms-nm": (0.155, 0.135, 0.126, 0.127, 0.151, 0.158, 0.178),
    },
    "activity": {
        "nn": (0.379, 0.354, 0.316, 0.304, 0.295, 0.309, 0.290),
        "deq": (0.382, 0.364, 0.332, 0.321, 0.275, None, None),
        "dag": (0.639, 0.624, 0.538, 0.538, 0.513, None, None),
        "optnet": (0.382, 0.364, 0.342, 0.363, 0.407, None, None),
        "nms": (0.350, 0.332, 0.308, 0.264, 0.263, 0.306, 0.300),
        "nms-l2": (0.348, 0.320, 0.288, 0.257, 0.260, 0.295, 0.293),
        "nms-nm": (0.364, 0.314, 0.284, 0.250, 0.248, 0.298, 0.287),
    },
    "facebook": {
        "nn": (0.140, 0.130, 0.131, 0.160, 0.208, 0.167, 0.166),
        "deq": (0.147, 0.121, 0.126, 0.169, 0.447, None, None),
        "dag": (0.168, 0.139, 0.148, 0.159, 0.647, None, None),
        "optnet": (0.173, 0.144, 0.158, 0.225, 0.193, None, None),
        "nms": (0.135, 0.120, 0.126, 0.149, 0.169, 0.170, 0.168),
        "nms-l2": (0.135, 0.120, 0.137, 0.150, 0.165, 0.167, 0.163),
        "nms-nm": (0.134, 0.117, 0.129, 0.145, 0.164, 0.166, 0.162),
    },
    "gas": {
        "nn": (0.073, 0.087, 0.090, 0.207, 0.089, 0.138, 0.112),
        "deq": (0.102, 0.102, 0.138, 0.169, 0.447, None, None),
        "dag": (0.118, 0.084, 0.321, 0.239, 0.160, None, None),
        "optnet": (0.063, 0.105, 0.105, 0.103, 0.160, None, None),
        "nms": (0.064, 0.082, 0.157, 0.126, 0.087, 0.140, 0.116),
        "nms-l2": (0.060, 0.081, 0.165, 0.120, 0.089, 0.136, 0.110),
        "nms-nm": (0.058, 0.075, 0.154, 0.120, 0.088, 0.132, 0.108),
    },
}

OVER_TIME = "over time"


def table_1(data: str, method: str, nodes: int) -> float | str | None:
    """Give the paper's mean error rate, `OVER_TIME`, or None where it has no such cell."""
    rows: Mapping[str, tuple[float | None, ...]] = _ERRORS.get(data, {})
    if method not in rows or nodes not in _SIZES:
        return None
    value = rows[method][_SIZES.index(nodes)]
    return OVER_TIME if value is None else value
