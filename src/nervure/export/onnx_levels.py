"""Levels of nodes as ONNX operators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nervure.engine.activations import NAMES
from nervure.export.onnx_builder import Builder, Columns
from nervure.export.schedule import Edges, Level

_ROOT_HALF = 0.5**0.5
_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def activated(builder: Builder, z: str, code: int, leak: float) -> str:
    """Apply an activation, by its place in `nervure.engine.activations.NAMES`."""
    name, add = NAMES[code], builder.add
    if name == "identity":
        return z
    if name == "leaky_relu":
        return add("LeakyRelu", z, alpha=leak)
    if name == "squared_relu":
        positive = add("Relu", z)
        return add("Mul", positive, positive)
    if name == "silu":
        return add("Mul", z, add("Sigmoid", z))
    if name == "gelu":
        # The operator of that name came later than the set of operators used here.
        error = add("Erf", add("Mul", z, builder.scalar(_ROOT_HALF)))
        half = add("Mul", z, builder.scalar(0.5))
        return add("Mul", half, add("Add", error, builder.scalar(1.0)))
    return add(_OPERATORS[name], z)


def weighted(builder: Builder, columns: Columns, edges: Edges, addend: str) -> str:
    """Add what comes in along some edges to a tensor, or to biases; one Gemm."""
    if not len(edges.weights):
        return addend
    tensor, order = columns.take(edges.sources)
    return builder.add("Gemm", tensor, builder.matrix(edges, order), addend)


def parted(builder: Builder, tensor: str, levels: Sequence[Level]) -> list[str]:
    """Cut columns that stand in the order of some levels into these."""
    if len(levels) == 1:
        return [tensor]
    sizes = builder.constant(np.array([len(level.nodes) for level in levels]), "sizes")
    return builder.add_many("Split", (tensor, sizes), len(levels), axis=1)
