"""A DAG of blocks as ONNX operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nervure.errors import ExportError
from nervure.export.onnx_builder import Builder
from nervure.networks import BlockDAG, ConvBlock, MLPBlock, PooledLinear
from nervure.networks.block_schedule import Given, Schedule


def input_shape(network: BlockDAG) -> tuple[int | str, ...]:
    """Give the shape of a row of data: numbers, or names of sizes that are open.

    Raises
    ------
    ExportError
        If the entry is a block that is not known here.
    """
    design, entry = network.design, network.blocks[str(int(network.topology.inputs[0]))]
    _writer_of(entry)
    if design.image_shape is not None:
        return (int(np.prod(design.image_shape)),)
    return (design.inputs,) if isinstance(entry, MLPBlock) else (design.inputs, "height", "width")


def add_block_dag(builder: Builder, network: BlockDAG, x: str) -> tuple[str, int]:
    """Add a network of nervure's own blocks, as it is in evaluation.

    Parameters
    ----------
    builder : Builder
    network : BlockDAG
    x : str
        Tensor of shape (batch, *`input_shape`).

    Returns
    -------
    output : str
        Tensor of shape (batch, outputs).
    outputs : int

    Raises
    ------
    ExportError
        If there are blocks of another kind.
    """
    design, schedule = network.design, Schedule.of(network.topology, network.stages)
    if design.image_shape is not None:
        height, width, colours = (*design.image_shape, 1)[:3]
        x = builder.add("Reshape", x, builder.shape(-1, height, width, colours))
        x = builder.add("Transpose", x, perm=[0, 3, 1, 2])
    factors = np.tanh(_array(network.edge_weight))
    maps: dict[Given, str] = {}
    for i in schedule.order:
        edges, given = schedule.reads[i]
        if given:
            terms = [
                builder.add("Mul", maps[part], builder.scalar(float(factors[edge])))
                for part, edge in zip(given, edges.tolist(), strict=True)
            ]
            x = terms[0] if len(terms) == 1 else builder.add("Sum", *terms)
        x = _add(builder, network.blocks[str(i)], x)
        if schedule.read_as_is[i]:
            maps[i, int(network.stages[i])] = x
        for stage in schedule.reduced[i]:
            maps[i, stage] = _add(builder, network.reductions[f"{i}-{stage}"], x)
    last = network.blocks[str(schedule.order[-1])]
    if isinstance(last, ConvBlock) and isinstance(network.exit, PooledLinear):
        x = builder.add("Flatten", builder.add("GlobalAveragePool", x), axis=1)
    return _add(builder, network.exit, x), design.outputs


def _add(builder: Builder, module: nn.Module, x: str) -> str:
    return _writer_of(module)(builder, module, x)


def _writer_of(module: nn.Module) -> Callable[[Builder, Any, str], str]:
    if type(module) not in _WRITERS:
        known = ", ".join(sorted(kind.__name__ for kind in _WRITERS))
        raise ExportError(
            f"cannot write a {type(module).__name__} in ONNX: known are the blocks {known}; use "
            "torch.onnx.export for networks of other blocks"
        )
    return _WRITERS[type(module)]


def _conv_block(builder: Builder, block: ConvBlock, x: str) -> str:
    main = _convolution(builder, block.conv, block.norm, builder.add("Relu", x))
    return builder.add("Add", main, _convolution(builder, block.shortcut, block.shortcut_norm, x))


def _mlp_block(builder: Builder, block: MLPBlock, x: str) -> str:
    main = _linear(builder, block.main, block.norm, builder.add("Relu", x))
    return builder.add("Add", main, _linear(builder, block.shortcut, block.shortcut_norm, x))


def _pooled_linear(builder: Builder, exit_: PooledLinear, x: str) -> str:
    return _linear(builder, exit_.linear, None, x)


def _convolution(builder: Builder, conv: nn.Conv2d, norm: nn.BatchNorm2d, x: str) -> str:
    factor, shift = _folded(norm)
    weight = _array(conv.weight) * factor[:, None, None, None]
    side = conv.padding[0] if isinstance(conv.padding, tuple) else 0
    return builder.add(
        "Conv",
        x,
        builder.constant(weight, "weight"),
        builder.constant(shift, "bias"),
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        pads=[int(side)] * 4,
    )


def _linear(builder: Builder, linear: nn.Linear, norm: nn.BatchNorm1d | None, x: str) -> str:
    weight = _array(linear.weight)
    if norm is None:
        bias = _array(linear.bias)
    else:
        factor, bias = _folded(norm)
        weight = weight * factor[:, None]
    return builder.add(
        "Gemm", x, builder.constant(weight.T, "weight"), builder.constant(bias, "bias")
    )


def _folded(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[NDArray[np.float64], ...]:
    """Give factor and shift of each channel in evaluation; what comes in has no bias."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    return factor, _array(norm.bias) - _array(norm.running_mean) * factor


def _array(tensor: Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = tensor.detach().cpu().to(torch.float64).numpy()
    return array


_WRITERS: dict[type[nn.Module], Callable[[Builder, Any, str], str]] = {
    ConvBlock: _conv_block,
    MLPBlock: _mlp_block,
    PooledLinear: _pooled_linear,
}
