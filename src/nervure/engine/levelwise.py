"""Acyclic graphs level by level in plain torch: one matrix product a level, dense or sparse.

Runs on any device and in any float dtype. A level holds the nodes of one depth, so its products
need values of lower levels only. Values are node-major, (nodes, batch): the rows of a level are
then contiguous in memory, and nodes that are numbered level by level are views, not copies.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from nervure.engine.activations import ACTIVATIONS
from nervure.engine.levels import Kind, Levels, Rows, build_levels
from nervure.errors import EngineError

__all__ = ["Kind", "Levels", "adjoint", "build_levels", "forward"]

# What torch multiplies CSR matrices in; other dtypes take a detour through float32.
_CSR_DTYPES = (torch.float32, torch.float64)


def _value(code: int) -> Callable[[Tensor, float], Tensor]:
    return ACTIVATIONS[code].value


def _slope(code: int) -> Callable[[Tensor, float], Tensor]:
    return ACTIVATIONS[code].slope


def _slope_of_value(code: int) -> Callable[[Tensor, float], Tensor]:
    formula = ACTIVATIONS[code].slope_of_value
    assert formula is not None, "asked for only where _needs_z says no"
    return formula


@cache
def _prepare_csr(device: str) -> None:
    """Refuse what torch cannot do, and use up the one warning it gives on CSR tensors."""
    if device == "cpu" and not torch.backends.mkl.is_available():
        raise EngineError("sparse products on the CPU need a torch with MKL; use 'dense'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), (1, 1))


def _needs_z(groups: tuple[tuple[int, Rows], ...]) -> bool:
    """Whether some activation (gelu, silu) has a slope that does not follow from its value."""
    return any(ACTIVATIONS[code].slope_of_value is None for code, _ in groups)


def _per_code(
    functions: Callable[[int], Callable[[Tensor, float], Tensor]],
    groups: tuple[tuple[int, Rows], ...],
    x: Tensor,
    leak: float,
) -> Tensor:
    """Apply to each group of rows the function of its activation code."""
    if len(groups) == 1:
        return functions(groups[0][0])(x, leak)
    out = torch.empty_like(x)
    for code, rows in groups:
        rows.write(out, functions(code)(rows.of(x), leak))
    return out


def forward(
    levels: Levels,
    drive: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    kind: Kind,
    leak: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute z = u + b + W a, a = f(z) for every sample.

    Parameters
    ----------
    levels : Levels
    drive : Tensor, shape (batch, inputs)
        u of the input nodes; zero elsewhere.
    weight : Tensor, shape (edges,)
        In edge order.
    bias : Tensor, shape (nodes,), or None
    kind : {"dense", "csr"}
        Product of each level.
    leak : float
        Slope of leaky relu below zero.

    Returns
    -------
    output : Tensor, shape (batch, outputs)
    value : Tensor, shape (nodes, batch)
        a of all nodes.
    slope : Tensor, shape (nodes, batch)
        f'(z), or shape (0, 0) if it follows from the values.
    """
    if kind == "csr":
        _prepare_csr(drive.device.type)
        if drive.dtype not in _CSR_DTYPES:
            wide = None if bias is None else bias.float()
            found = forward(levels, drive.float(), weight.float(), wide, kind=kind, leak=leak)
            output, value, slope = (x.to(drive.dtype) for x in found)
            return output, value, slope
    moved = levels.on(drive.device, kind)
    z = drive.new_zeros(len(levels.codes), len(drive))
    z[moved.inputs] = drive.T
    if bias is not None:
        z += bias[:, None]
    # Where nobody asks for z later, values take its place.
    value = torch.empty_like(z) if _needs_z(moved.groups) else z
    for level in moved.levels:
        x = level.nodes.of(z)
        if level.dense is not None:
            x.addmm_(level.dense.matrix(weight), level.dense.sources.of(value))
        elif level.entering is not None:
            x = torch.addmm(x, level.entering.matrix(weight), value)
        if value is not z:
            level.nodes.write(z, x)
        level.nodes.write(value, _per_code(_value, level.groups, x, leak))
    slope = z.new_empty(0, 0)
    if value is not z:
        slope = _per_code(_slope, moved.groups, z, leak)
    return value[moved.outputs].T.contiguous(), value, slope


def adjoint(
    levels: Levels,
    grad_output: Tensor,
    weight: Tensor,
    value: Tensor,
    slope: Tensor,
    *,
    kind: Kind,
    leak: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute l = g + W^T d, d = f'(z) l from the last level to the first, and the gradients.

    Parameters
    ----------
    levels, weight, kind, leak
        As in `forward`.
    grad_output : Tensor, shape (batch, outputs)
        dL/da of the output nodes.
    value, slope : Tensor
        What `forward` returned.

    Returns
    -------
    grad_drive : Tensor, shape (batch, inputs)
    grad_weight : Tensor, shape (edges,)
    grad_bias : Tensor, shape (nodes,)
    """
    if kind == "csr":
        _prepare_csr(value.device.type)
        if value.dtype not in _CSR_DTYPES:
            wide = (x.float() for x in (grad_output, weight, value, slope))
            found = adjoint(levels, *wide, kind=kind, leak=leak)
            grad_drive, grad_weight, grad_bias = (x.to(value.dtype) for x in found)
            return grad_drive, grad_weight, grad_bias
    moved = levels.on(value.device, kind)
    if not _needs_z(moved.groups):
        slope = _per_code(_slope_of_value, moved.groups, value, leak)
    # Holds l of a level until its turn comes, d from then on.
    d = torch.zeros_like(value)
    d[moved.outputs] = grad_output.T
    grad_weight = torch.empty_like(weight)
    for level in reversed(moved.levels):
        x = level.nodes.of(d)
        if level.leaving is not None:
            x = torch.addmm(x, level.leaving.matrix(weight), d)
        x = x * level.nodes.of(slope)
        level.nodes.write(d, x)
        if (dense := level.dense) is not None:
            cells = (x @ dense.sources.of(value).T).view(-1)
            dense.edges.write(grad_weight, dense.cells.of(cells))
            below = dense.sources.of(d)
            below.addmm_(dense.matrix(weight).T, x)
            if dense.sources.index is not None:
                dense.sources.write(d, below)
    if moved.whole is not None:
        pattern = moved.whole.matrix(torch.zeros_like(weight))
        grad_weight = torch.sparse.sampled_addmm(pattern, d, value.T, beta=0.0).values()
    return d[moved.inputs].T.contiguous(), grad_weight, d.sum(1)
