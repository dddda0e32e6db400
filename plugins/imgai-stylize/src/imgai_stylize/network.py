"""The network that repaints a picture, and its conditional normalization.

A picture goes down to an eighth of its size, through residual blocks, and up again (Johnson, Alahi, Fei-Fei 2016,
arXiv:1603.08155). A style is nothing but how strongly each channel speaks and where it begins, after each instance
normalisation (Dumoulin, Shlens, Kudlur 2017, arXiv:1610.07629): the convolutions are the same for all, and styles blend
as their numbers do. It begins with the four pixels of each 2x2 cell as channels, which costs a quarter of what
convolutions of whole pictures cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (24, 48, 96)
"""Channels at 1/2, 1/4 and 1/8 of the picture's size."""
BLOCKS = 5
"""Residual blocks at an eighth of the size."""
SIZE = 2 * (sum(WIDTHS) + 2 * BLOCKS * WIDTHS[2] + WIDTHS[1] + WIDTHS[0])
"""The number of parameters of a style: a scale and a shift for each channel of each normalization."""

Statistics = tuple[Tensor, Tensor]
"""Mean and reciprocal of the deviation of each channel, each ``(B, C, 1, 1)``."""


EPSILON = 1e-4


def normalized(x: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Statistics]:
    """Features normalised by their own statistics, and those. Shape: ``(B, C, H, W)``, ``(B, C)``, ``(B, C)``

    Of one picture that is a batch normalisation, whose kernel goes over the features once and keeps float32 sums.
    """
    found = [
        torch.native_batch_norm(each[None], gain, offset, None, None, True, 0.0, EPSILON)
        for each, gain, offset in zip(x, scale, shift, strict=True)
    ]
    mean, rate = (torch.stack([one[place] for one in found])[:, :, None, None] for place in (1, 2))
    return found[0][0] if len(found) == 1 else torch.cat([one[0] for one in found]), (mean, rate)


class Painter:
    """Normalises features one layer after the other, and gives each the numbers that a style has for it.

    style: ``(B, SIZE)``: how far each scale is from 1, and each shift from 0.
    statistics: those of the whole picture, where what is painted is a part of it; its own, where None.
    """

    def __init__(self, style: Tensor, statistics: Sequence[Statistics] | None) -> None:
        self.used: list[Statistics] = []
        self._style = style
        self._statistics = statistics
        self._place = 0

    def __call__(self, x: Tensor) -> Tensor:
        """The next normalisation. Shape: ``(B, C, H, W)``, kept."""
        scale, shift = self._style[:, self._place : self._place + 2 * x.shape[1]].chunk(2, dim=1)
        self._place += 2 * x.shape[1]
        if self._statistics is None:
            x, statistics = normalized(x, 1 + scale, shift.contiguous())
            self.used.append(statistics)
            return x
        mean, rate = self._statistics[len(self.used)]
        self.used.append((mean, rate))
        gain = (1 + scale)[:, :, None, None] * rate
        return torch.addcmul((shift[:, :, None, None] - mean * gain).to(x.dtype), x, gain.to(x.dtype))


class Conv(nn.Conv2d):
    """A 3x3 convolution of a picture continued by mirroring, without bias: a normalisation follows."""

    def __init__(self, channels: int, out: int, stride: int = 1, *, bias: bool = False) -> None:
        super().__init__(channels, out, 3, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(continued(x, "reflect"))


class UpConv(Conv):
    """The same of a picture at twice its size, each pixel repeated; the larger picture is never made.

    Of the nine neighbours of a pixel there, four are different: each of the four pixels that one becomes has a 2x2
    kernel of its own (sub-pixel convolution, Shi et al. 2016, arXiv:1609.05158), at 4/9 of the cost. Mirroring at the
    border of the larger picture is repeating at that of the smaller.

    Shape: ``(B, C, H, W)`` -> ``(B, out, 2 H, 2 W)``
    """

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        rows = self.weight.new_tensor([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])
        kernels = torch.einsum("axi,byj,ocij->abocxy", rows, rows, self.weight).flatten(0, 2)
        parts = F.conv2d(continued(x, "replicate"), kernels).unflatten(1, (2, 2, self.out_channels))
        size = (len(x), self.out_channels, 2 * height, 2 * width)
        result = torch.empty(size, dtype=parts.dtype, device=x.device, memory_format=torch.channels_last)
        for down in range(2):
            for across in range(2):
                part = parts[:, down, across, :, down : down + height, across : across + width]
                result[:, :, down::2, across::2] = part
        return result


def continued(x: Tensor, mode: str) -> Tensor:
    """One more pixel on each side. Shape: ``(B, C, H, W)`` -> ``(B, C, H + 2, W + 2)``"""
    with torch.autocast(x.device.type, enabled=False):  # which would make float32 of it for this
        return F.pad(x, (1, 1, 1, 1), mode=mode)


class StyleNet(nn.Module):
    """The network. Shape: ``(B, 3, H, W)`` in [0, 1] -> the same, H and W multiples of 8 and at least 16."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth = WIDTHS
        self.down = nn.ModuleList([Conv(12, half), Conv(half, quarter, 2), Conv(quarter, eighth, 2)])
        self.first = nn.ModuleList(Conv(eighth, eighth) for _ in range(BLOCKS))
        self.second = nn.ModuleList(Conv(eighth, eighth) for _ in range(BLOCKS))
        self.up = nn.ModuleList([UpConv(eighth, quarter), UpConv(quarter, half)])
        self.head = Conv(half, 12, bias=True)

    def forward(self, x: Tensor, style: Tensor, statistics: Sequence[Statistics] | None = None) -> Tensor:
        return self.paint(x, Painter(style, statistics))

    def paint(self, x: Tensor, painter: Painter) -> Tensor:
        """Repaint, and store the feature statistics in the painter."""
        x = F.pixel_unshuffle(x * 2 - 1, 2)
        for conv in self.down:
            x = F.relu(painter(conv(x)))
        for first, second in zip(self.first, self.second, strict=True):
            x = x + painter(second(F.relu(painter(first(x)))))
        for conv in self.up:
            x = F.relu(painter(conv(x)))
        return torch.sigmoid(F.pixel_shuffle(self.head(x).float(), 2))


def pack(statistics: Sequence[Statistics]) -> Tensor:
    """All statistics of a picture in a row. Shape: ``(B, SIZE)``"""
    return torch.cat([part.flatten(1) for pair in statistics for part in pair], dim=1)


def unpack(row: Tensor) -> list[Statistics]:
    """Undo `pack`. Shape: ``(B, SIZE)``"""
    half, quarter, eighth = WIDTHS
    widths = [half, quarter, eighth, *[eighth] * (2 * BLOCKS), quarter, half]
    cuts = list(accumulate(width for width in widths for _ in range(2)))[:-1]
    parts = [part[:, :, None, None] for part in row.tensor_split(cuts, dim=1)]
    return list(zip(parts[::2], parts[1::2], strict=True))
