"""What stands at the nodes of a DAG of blocks: small networks from feature map to feature map."""

from __future__ import annotations

import functools
from operator import add
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from nervure.engine.tracing import is_eager
from nervure.errors import EngineError


class Block(Protocol):
    """Makes the module of a node, of a reduction or of the entry.

    It is given widths (channels, or features) and a stride, by which each side of a feature map
    shrinks.
    """

    def __call__(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        """Make a module that maps (batch, inputs, ...) to (batch, outputs, ...)."""
        ...


class Exit(Protocol):
    """Makes the module from the last node to the outputs of the network."""

    def __call__(self, inputs: int, outputs: int) -> nn.Module:
        """Make a module that maps (batch, inputs, ...) to (batch, outputs)."""
        ...


class ConvBlock(nn.Module):
    """ReLU, convolution of 3 x 3 and batch normalisation, beside a 1 x 1 convolution of its own.

    BN(conv3x3(relu(x))) + BN(conv1x1(x)), convolutions without bias.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    stride : int

    Notes
    -----
    Paper: connectivity-tradeoff, section 3 and figure 1a; Janik and Nowak 2020, "Neural networks in
    the shape of graphs", for reductions and the entry, which are the same with another width.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        self.shortcut_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, height, width) to (batch, outputs, height / stride, ...)."""
        main: Tensor = self.norm(self.conv(functional.relu(x)))
        main += self.shortcut_norm(self.shortcut(x))
        return main


class MLPBlock(nn.Module):
    """ReLU, a full layer and batch normalisation, beside a full layer without ReLU.

    Parameters
    ----------
    inputs, outputs : int
        Features.
    stride : int
        Taken for the sake of `Block`; features have no sides.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        del stride
        self.main = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.BatchNorm1d(outputs)
        self.shortcut = nn.Linear(inputs, outputs, bias=False)
        self.shortcut_norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, outputs)."""
        main: Tensor = self.norm(self.main(functional.relu(x)))
        main += self.shortcut_norm(self.shortcut(x))
        return main


class PooledLinear(nn.Module):
    """Mean over the feature map, then a full layer.

    Parameters
    ----------
    inputs, outputs : int
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, ...) to (batch, outputs)."""
        pooled = x.flatten(2).mean(-1) if x.ndim > 2 else x
        out: Tensor = self.linear(pooled)
        return out


_Made = TypeVar("_Made", Block, Exit)


class NamedMakers(Generic[_Made]):
    """Makers of modules by name, so that a file can say which a network was built with.

    Parameters
    ----------
    noun, remedy : str
        What they make, and the function that adds one; for messages.
    **makers : callable
        Those that are always there.
    """

    def __init__(self, noun: str, remedy: str, **makers: _Made) -> None:
        self._noun, self._remedy = noun, remedy
        self._own = frozenset(makers)
        self._makers: dict[str, _Made] = dict(makers)

    def add(self, name: str, maker: _Made) -> None:
        """Make one known; one of the same name that a user added before is replaced."""
        if name in self._own:
            raise EngineError(f"{name!r} is nervure's own {self._noun}; take another name")
        self._makers[name] = maker

    def get(self, maker: str | _Made, what: str) -> _Made:
        """Give the one of a name, or the one given; `what` it is for goes into the message."""
        if isinstance(maker, str) and maker in self._makers:
            return self._makers[maker]
        if isinstance(maker, str) or not callable(maker):
            raise EngineError(
                f"{what}: expected a callable or one of {', '.join(sorted(self._makers))}, got "
                f"{maker!r}; make others known with {self._remedy}"
            )
        return maker

    def name_of(self, maker: str | _Made, what: str) -> str:
        """Give the name of one."""
        if isinstance(maker, str):
            return maker
        for name, known in self._makers.items():
            if known is maker:
                return name
        raise EngineError(
            f"{what}: {maker!r} has no name by which it could be found again; give it one with "
            f"{self._remedy}"
        )


BLOCKS: NamedMakers[Block] = NamedMakers(
    "block", "nervure.networks.register_block", conv=ConvBlock, mlp=MLPBlock
)
EXITS: NamedMakers[Exit] = NamedMakers(
    "exit", "nervure.networks.register_exit", pooled_linear=PooledLinear
)


def register_block(name: str, block: Block) -> None:
    """Make a block known by a name, so that a `BlockDAG` of it can be saved as a model file.

    Parameters
    ----------
    name : str
        It stands in the file: who loads it must have registered the same block.
    block : callable (inputs, outputs, stride) -> Module

    Raises
    ------
    EngineError
        If the name is one of nervure's own.
    """
    BLOCKS.add(name, block)


def register_exit(name: str, exit_: Exit) -> None:
    """Make an exit known by a name; see `register_block`.

    Parameters
    ----------
    name : str
    exit_ : callable (inputs, outputs) -> Module

    Raises
    ------
    EngineError
        If the name is one of nervure's own.
    """
    EXITS.add(name, exit_)


class WeightedSum(torch.autograd.Function):
    """sum_i w_i x_i of tensors of one shape, one after the other.

    Nothing is stacked and no product is kept: what autograd holds is the x_i themselves, which the
    network has anyway.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weight: Tensor, *x: Tensor) -> Tensor:
        """Give the sum for weights of shape (len(x),)."""
        ctx.save_for_backward(weight, *x)
        numbers = weight.tolist()
        total: Tensor = x[0] * numbers[0]
        for number, part in zip(numbers[1:], x[1:], strict=True):
            total.add_(part, alpha=number)
        return total

    @staticmethod
    @once_differentiable  # The weights enter as numbers, which a second pass would not see.
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Give the gradients of the weights and of each x."""
        (gradient,) = gradients
        weight, *x = ctx.saved_tensors  # type: ignore[attr-defined]
        weight_wanted, *wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        of_weight = None
        if weight_wanted:
            # In the order in which the gradient lies in memory nothing of that format is copied.
            order = sorted(range(gradient.ndim), key=gradient.stride, reverse=True)
            flat = gradient.permute(order).reshape(-1)
            dots = [torch.dot(part.permute(order).reshape(-1), flat) for part in x]
            of_weight = torch.stack(dots)
        of_x = [
            gradient * number if needed else None
            for number, needed in zip(weight.tolist(), wanted, strict=True)
        ]
        return of_weight, *of_x


def weighted_sum(weight: Tensor, x: list[Tensor]) -> Tensor:
    """Give sum_i w_i x_i.

    Parameters
    ----------
    weight : Tensor, shape (len(x),)
    x : list of Tensor
        Of one shape.
    """
    if not is_eager(weight):
        # Compilers fuse it, and transforms of torch.func need operations they know.
        return functools.reduce(add, (weight[i] * part for i, part in enumerate(x)))
    total: Tensor = WeightedSum.apply(weight, *x)  # type: ignore[no-untyped-call]
    return total
