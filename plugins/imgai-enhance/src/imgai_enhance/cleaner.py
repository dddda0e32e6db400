"""The network that removes the noise revealed by brightening a dark picture.

A U-Net of residual blocks without normalisation and without biases, at half the picture's size (the same as that of
imgai-denoise, which says where each idea is from), trained on pictures that were dark and are light again.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (48, 80, 128)
"""Channels at 1/2, 1/4 and 1/8 of the picture's size."""
BLOCKS = (2, 2, 4)
"""The number of residual blocks at each size, in the encoder and again in the decoder except for the last."""


class Block(nn.Module):
    """Two convolutions with a residual connection. Shape: ``(B, C, H, W)``, unchanged."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.second(F.relu(self.first(x)))
        return x + change


class Cleaner(nn.Module):
    """Predicts the noise in a picture.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, 3, H, W)`` around 0, H and W multiples of 8.
    """

    def __init__(self) -> None:
        super().__init__()
        steps = list(pairwise(WIDTHS))
        self.stem = nn.Conv2d(12, WIDTHS[0], 3, padding=1, bias=False)
        self.encode = nn.ModuleList(map(blocks, WIDTHS[:-1], BLOCKS[:-1]))
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 2, 2, bias=False) for wide, deep in steps)
        self.middle = blocks(WIDTHS[-1], BLOCKS[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, wide, 2, 2, bias=False) for wide, deep in steps)
        self.decode = nn.ModuleList(map(blocks, WIDTHS[:-1], BLOCKS[:-1]))
        self.head = nn.Conv2d(WIDTHS[0], 12, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(F.pixel_unshuffle(x, 2))
        skips = []
        for encode, down in zip(self.encode, self.down, strict=True):
            x = encode(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips), strict=True):
            x = decode(up(x) + skip)
        return F.pixel_shuffle(self.head(x), 2)


def blocks(width: int, count: int) -> nn.Sequential:
    """Return a sequence of residual blocks."""
    return nn.Sequential(*(Block(width) for _ in range(count)))
