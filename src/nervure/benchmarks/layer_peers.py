"""Peers of a layered network: masked dense, torch sparse CSR, sparselab, dense."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from nervure.optional import find
from nervure.topology import Topology


class Wiring(NamedTuple):
    """One layer of weights in CSR form, [target, source]."""

    shape: tuple[int, int]
    offsets: Tensor
    columns: Tensor
    values: Tensor

    def csr(self) -> Tensor:
        """Give the layer as a sparse CSR tensor."""
        return _csr(self.offsets, self.columns, self.values, self.shape)

    def rows(self) -> Tensor:
        """Give the target of every edge."""
        return torch.repeat_interleave(torch.arange(self.shape[0]), self.offsets.diff())


def layers_of(topology: Topology, sizes: Sequence[int], weight: Tensor) -> list[Wiring]:
    """Cut the edge weights of a layered topology into its layers."""
    starts = np.concatenate(([0], np.cumsum(sizes)))
    layers = []
    for layer, (width, height) in enumerate(pairwise(sizes)):
        first = starts[layer + 1]
        offsets = topology.indptr[first : first + height + 1].astype(np.int64)
        edges = slice(int(offsets[0]), int(offsets[-1]))
        columns = topology.sources[edges].astype(np.int64) - starts[layer]
        layers.append(
            Wiring(
                (height, width),
                torch.from_numpy(offsets - offsets[0]),
                torch.from_numpy(columns),
                weight.detach()[edges].clone(),
            )
        )
    return layers


def dense(layers: Sequence[Wiring]) -> nn.Sequential:
    """Build a plain network whose absent edges are weights of value zero, trained as any."""
    return _stacked([_linear(layer) for layer in layers])


def masked(layers: Sequence[Wiring]) -> nn.Sequential:
    """Build a dense network whose weights are multiplied by a mask, and their gradient so too."""
    return _stacked([_Masked(layer) for layer in layers])


def sparse_csr(layers: Sequence[Wiring]) -> nn.Sequential:
    """Build a network of torch's sparse CSR products, with gradients at the edges only."""
    return _stacked([_SparseCsr(layer) for layer in layers])


def sparselab(layers: Sequence[Wiring]) -> nn.Sequential | None:
    """Build a network of sparselab's layers, or give None where it is not installed."""
    lab = find("sparselab")
    if lab is None:
        return None
    # It caches transposes by id(), which a matrix of an earlier case may have had.
    lab.ops._clear_transpose_cache()
    modules: list[nn.Module] = []
    for layer in layers:
        height, width = layer.shape
        # The layer draws a mask of its own; the edges compared are put in its place.
        module = lab.SparseLinear(width, height, sparsity=0.9)
        module._csr = lab.PaddedCSR.from_torch_sparse_csr(layer.csr())
        module._values = nn.Parameter(torch.from_numpy(np.asarray(module._csr.values)))
        nn.init.zeros_(module.bias)
        modules.append(module)
    return _stacked(modules)


PEERS: dict[str, Callable[[Sequence[Wiring]], nn.Sequential | None]] = {
    "masked dense": masked,
    "torch sparse CSR": sparse_csr,
    "sparselab": sparselab,
}


def edge_gradients(network: nn.Module, layers: Sequence[Wiring]) -> Tensor:
    """Give the weight gradients of any of these networks in edge order, shape (edges,)."""
    modules = [module for module in network.children() if not isinstance(module, nn.ReLU)]
    return torch.cat([_at_edges(*pair) for pair in zip(modules, layers, strict=True)])


def bias_gradients(network: nn.Module) -> Tensor:
    """Give the bias gradients of any of these networks in node order, without the inputs."""
    biases = [parameter for name, parameter in network.named_parameters() if name.endswith("bias")]
    return torch.cat([_gradient(bias) for bias in biases])


def _at_edges(module: nn.Module, layer: Wiring) -> Tensor:
    if isinstance(module, _SparseCsr):
        return _gradient(module.values)
    if isinstance(module, _Masked):
        module = module.linear
    if isinstance(module, nn.Linear):
        return _gradient(module.weight)[layer.rows(), layer.columns]
    # sparselab keeps room behind the edges of every row.
    padded: Any = module
    starts = torch.from_numpy(np.asarray(padded._csr.row_start).astype(np.int64))
    rows = layer.rows()
    within = torch.arange(len(rows)) - layer.offsets[rows]
    return _gradient(padded._values)[starts[rows] + within]


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _stacked(modules: Sequence[nn.Module]) -> nn.Sequential:
    stack: list[nn.Module] = []
    for module in modules:
        stack += [module, nn.ReLU()]
    return nn.Sequential(*stack[:-1])


def _csr(offsets: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    _let_torch_warn()
    return torch.sparse_csr_tensor(offsets, columns, values, shape, check_invariants=False)


@cache
def _let_torch_warn() -> None:
    """Let torch say once, unheard, that its CSR support is in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.zeros(1, 1).to_sparse_csr()


def _linear(layer: Wiring) -> nn.Linear:
    height, width = layer.shape
    module = nn.Linear(width, height)
    with torch.no_grad():
        module.weight.copy_(layer.csr().to_dense())
        module.bias.zero_()
    return module


class _Masked(nn.Module):
    mask: Tensor

    def __init__(self, layer: Wiring) -> None:
        super().__init__()
        self.linear = _linear(layer)
        pattern = layer._replace(values=torch.ones_like(layer.values))
        self.register_buffer("mask", pattern.csr().to_dense())

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.linear.weight * self.mask, self.linear.bias)


class _SparseCsr(nn.Module):
    def __init__(self, layer: Wiring) -> None:
        super().__init__()
        height, width = layer.shape
        self.layer = layer
        self.values = nn.Parameter(layer.values.clone())
        self.bias = nn.Parameter(torch.zeros(height))
        # Sorted by source, and by target among equal ones: the CSR form of the transpose.
        self.order = torch.argsort(layer.columns, stable=True)
        self.rows = layer.rows()[self.order]
        self.back_offsets = torch.zeros(width + 1, dtype=torch.int64)
        self.back_offsets[1:] = torch.bincount(layer.columns, minlength=width).cumsum(0)

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = _CsrProduct.apply(x, self.values, self)  # type: ignore[no-untyped-call]
        return product + self.bias


class _CsrProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, module: _SparseCsr) -> Tensor:  # noqa: ANN401
        layer = module.layer
        ctx.save_for_backward(x, values)
        ctx.module = module
        return (_csr(layer.offsets, layer.columns, values, layer.shape) @ x.t()).t()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, None]:  # noqa: ANN401
        x, values = ctx.saved_tensors
        module, (grad,) = ctx.module, grads
        layer = module.layer
        height, width = layer.shape
        grad_x = None
        if ctx.needs_input_grad[0]:
            transposed = _csr(
                module.back_offsets, module.rows, values[module.order], (width, height)
            )
            grad_x = (transposed @ grad.t()).t()
        pattern = _csr(layer.offsets, layer.columns, torch.zeros_like(values), layer.shape)
        sampled = torch.sparse.sampled_addmm(pattern, grad.t().contiguous(), x, beta=0.0)
        return grad_x, sampled.values(), None
