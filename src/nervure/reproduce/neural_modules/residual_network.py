"""`ResidualNetwork`: a small ResNet whose fully connected part is given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualNetwork(nn.Module):
    """Convolutions with shortcuts, the mean over all places, and a fully connected part.

    Parameters
    ----------
    head : torch.nn.Module
        Maps (batch, channels[-1]) to (batch, classes).
    channels : sequence of int
        Of each stage; every stage but the first halves height and width, and so does the stem.
    blocks : int
        Residual blocks per stage.
    seed : int
        For the initial weights of the convolutions.

    Notes
    -----
    He et al. 2016, "Deep residual learning for image recognition", section 4.2, with projections
    where a shortcut changes its size.
    """

    def __init__(
        self, head: nn.Module, *, channels: Sequence[int], blocks: int = 1, seed: int = 0
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            first = channels[0]
            self.stem = nn.Sequential(
                nn.Conv2d(3, first, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(first)
            )
            stages = []
            for i, (before, after) in enumerate(pairwise([first, *channels])):
                stages.append(_Block(before, after, stride=1 if i == 0 else 2))
                stages += [_Block(after, after, stride=1) for _ in range(blocks - 1)]
            self.stages = nn.Sequential(*stages)
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 3, height, width) to (batch, classes)."""
        out = self.stages(functional.relu(self.stem(x)))
        return cast(Tensor, self.head(out.mean((2, 3))))


class _Block(nn.Module):
    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.inner(x) + self.shortcut(x))
