"""`TextTransformer`: a small Transformer encoder whose feed-forward parts are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from nervure.reproduce.neural_modules.words import PADDING

# Of embeddings, as BERT has it. With torch's standard deviation of 1, steps of Adam's size hardly
# move them within a few epochs.
_SPREAD = 0.02


class TextTransformer(nn.Module):
    """Embeddings of words and places, layers of self-attention, the mean over words, a linear map.

    Parameters
    ----------
    feed_forward : sequence of torch.nn.Module
        One per layer, each of which maps (..., width) to (..., width).
    tokens : int
        Different tokens there are, those for padding and unknown words included.
    length : int
        Most tokens of a text.
    width, heads : int
        Of every layer.
    classes : int
    seed : int
        For the initial weights of all but the feed-forward parts.

    Notes
    -----
    Vaswani et al. 2017, "Attention is all you need", section 3.1, with learned positions and
    without dropout, whose noise would come from torch's global generator.
    """

    def __init__(
        self,
        feed_forward: Sequence[nn.Module],
        *,
        tokens: int,
        length: int,
        width: int,
        heads: int,
        classes: int,
        seed: int = 0,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.words = nn.Embedding(tokens, width, padding_idx=PADDING)
            self.places = nn.Embedding(length, width)
            self.layers = nn.ModuleList(_Layer(part, width, heads) for part in feed_forward)
            self.head = nn.Linear(width, classes)
            for embedding in (self.words, self.places):
                nn.init.normal_(embedding.weight, std=_SPREAD)
        with torch.no_grad():
            self.words.weight[PADDING] = 0

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length) to (batch, classes).

        Token numbers may come as floating point, as `nervure.training.fit` casts all rows to the
        precision of the network: float32 holds whole numbers up to 2^24 exactly.
        """
        tokens = x.long()
        padding = tokens == PADDING
        out = self.words(tokens) + self.places.weight[: tokens.shape[1]]
        for layer in self.layers:
            out = layer(out, padding)
        present = (~padding).unsqueeze(2)
        mean = (out * present).sum(1) / present.sum(1)
        return cast(Tensor, self.head(mean))


class _Layer(nn.Module):
    def __init__(self, feed_forward: nn.Module, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed_forward = feed_forward
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        seen, _ = self.attention(x, x, x, key_padding_mask=padding, need_weights=False)
        x = self.norms[0](x + seen)
        return cast(Tensor, self.norms[1](x + self.feed_forward(x)))
