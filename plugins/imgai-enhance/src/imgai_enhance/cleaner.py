"""The network that takes out the noise which more light brings out of a dark picture.

A U-Net of residual blocks without normalisation and without biases, at half the picture's size (that of imgai-denoise,
which says where each idea is from, with fewer channels where there are most pixels), trained on pictures that were dark
and are light again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (32, 64, 128)
BLOCKS = (1, 2, 4)


class Block(nn.Module):
    """Two convolutions and a way around them. Shape: ``(B, C, H, W)``, kept."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.second(F.relu(self.first(x)))
        return x + change


class Cleaner(nn.Module):
    """A picture to the noise in it.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, 3, H, W)`` around 0, H and W multiples of 8.

    widths: channels at 1/2, 1/4 and 1/8 of the picture's size.
    counts: residual blocks at each of them; on the way down and again on the way up, but for the last.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, counts: Sequence[int] = BLOCKS) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1, bias=False)
        self.encode = nn.ModuleList(map(blocks, widths[:-1], counts[:-1]))
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 2, 2, bias=False) for wide, deep in steps)
        self.middle = blocks(widths[-1], counts[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, wide, 2, 2, bias=False) for wide, deep in steps)
        self.decode = nn.ModuleList(map(blocks, widths[:-1], counts[:-1]))
        self.head = nn.Conv2d(widths[0], 12, 3, padding=1, bias=False)

    @classmethod
    def holding(cls, state: Mapping[str, Tensor]) -> Self:
        """The network of the widths and counts that weights have, with these weights.

        Raises KeyError or RuntimeError if they are those of another network.
        """
        levels = [name for name in state if name.startswith("down.")]
        widths = [
            state["stem.weight"].shape[0],
            *(state[f"down.{index}.weight"].shape[0] for index in range(len(levels))),
        ]
        places = [*(f"encode.{index}." for index in range(len(levels))), "middle."]
        counts = [sum(name.startswith(place) and name.endswith("first.weight") for name in state) for place in places]
        network = cls(widths, counts)
        network.load_state_dict(state)
        return network

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
    """That many residual blocks, one after the other."""
    return nn.Sequential(*(Block(width) for _ in range(count)))
