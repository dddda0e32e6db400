"""The network of `gaussian`: FFDNet, told the level of the noise by a small network that estimates it.

FFDNet (Zhang, Zuo, Zhang 2018, arXiv:1710.04026) is a chain of convolutions at half the picture's size, with the four
pixels of each cell as channels, and needs a map of the noise's standard deviation. A network that estimates such a map
for another that denoises: CBDNet (Guo et al. 2019, arXiv:1807.04686).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor
from imgai_denoise.network import load_into, window_mean

WIDTH = 96
"""Channels of FFDNet's convolutions."""
DEPTH = 12
"""The number of FFDNet's convolutions."""
BLOCK = 4
"""Cells on a side of a block, in which the energy of the filters' answers is averaged: 8 pixels."""
WINDOW = 17
"""Blocks on a side of the window over which the level is averaged: 136 pixels."""
LEAN = 0.975
"""Of the level that is found, what FFDNet is told: with too much it takes texture for noise, which costs more than
noise that stays. Of 0.955, 0.97, 0.985 and 1 the middle two gained most on held-out photographs, 0.01 dB."""
LEAST = 1e-6
"""Added to an energy before its logarithm is taken: the square of a quarter of a level of 255."""


class NoiseLevel(nn.Module):
    """Estimates the standard deviation of white noise around each cell.

    The energies of learned filters, block by block, say what the noise would be if nothing else were there; two
    convolutions over their logarithms correct that, and say how much each block is to be trusted. The answer is the
    weighted mean of the blocks' logarithms within the window, so it follows noise that changes across a picture.

    Shape: ``(B, 12, h, w)`` cells of a picture in [0, 1], h and w multiples of 4 -> ``(B, 1, h, w)``, above 0
    """

    def __init__(self, filters: int = 48, width: int = 64) -> None:
        super().__init__()
        self.filters = nn.Conv2d(12, filters, 3, padding=1, bias=False)
        self.first = nn.Conv2d(filters, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, 2, 1)

    def forward(self, cells: Tensor) -> Tensor:
        energies = F.avg_pool2d(self.filters(cells).float().square(), BLOCK).add(LEAST).log()
        x = (energies + 5).to(cells.dtype)  # brings the logarithms of usual energies around 0
        x = F.relu(self.second(F.relu(self.first(x))))
        found, trust = self.last(x).float().split(1, dim=1)
        level = found + 0.5 * energies.mean(1, keepdim=True)  # the energy is the square of the level
        weight = trust.clamp(-8, 8).exp()
        level = (window_mean(weight * level, WINDOW) / window_mean(weight, WINDOW)).exp()
        return F.interpolate(level, scale_factor=float(BLOCK), mode="nearest").to(cells.dtype)


class BlindFFDNet(nn.Module):
    """Predicts the noise in a picture, of a level that it finds by itself.

    Except in training, it looks twice, the second time at the picture upside down, and answers with the mean (geometric
    self-ensemble: Timofte, Rothe, Van Gool 2016, arXiv:1511.02228). That gains 0.04 dB.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, 3, H, W)`` around 0, H and W multiples of 8
    """

    def __init__(self) -> None:
        super().__init__()
        self.level = NoiseLevel()
        widths = (13, *(WIDTH,) * (DEPTH - 1), 12)  # 12 channels of the cells and the level
        self.body = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        cells = F.pixel_unshuffle(x, 2)  # (B, 12, H / 2, W / 2): three colours of four pixels each
        if self.training:
            return self._noise(cells, self._level(cells))
        turned = F.pixel_unshuffle(x.flip(2, 3), 2)
        level = (self._level(cells) + self._level(turned).flip(2, 3)) / 2
        return (self._noise(cells, level) + self._noise(turned, level.flip(2, 3)).flip(2, 3)) / 2

    def _level(self, cells: Tensor) -> Tensor:
        with torch.autocast(cells.device.type, enabled=False):  # logarithms are lost in bfloat16
            level: Tensor = LEAN * self.level(cells)
        return level

    def _noise(self, cells: Tensor, level: Tensor) -> Tensor:
        y = F.relu(self.body[0](torch.cat((cells, level), dim=1)))
        seen = cells.to(y.dtype).float()  # in bfloat16, what rounding takes from the picture is not taken for noise
        for convolution in self.body[1:-1]:
            y = F.relu(convolution(y))
        with torch.autocast(cells.device.type, enabled=False):  # it says the picture itself, which needs all its bits
            clean = self.body[-1](y.float())
        return F.pixel_shuffle(seen - clean, 2)


def load(context: LoadContext) -> Predictor:
    """Load `gaussian`. Shapes and errors are those of `imgai_denoise.network.load`."""
    return load_into(BlindFFDNet, context)
