"""The network that estimates a colour cast: the gains of red, green and blue by which a picture differs from its white.

A gain of one channel moves the histogram of log chroma (log red/green, log blue/green) as a whole, so that finding a
cast is finding where a histogram lies: convolutional colour constancy (Barron 2015, arXiv:1507.00410). Six histograms
(all pixels, bright ones, light and dark tones, edges, clipped pixels) are read by one small convolutional network and
the picture by another, which knows skin, sky and leaves; two layers join them.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 96
"""The input size: SIDE x SIDE pixels, for any aspect ratio."""
BINS, REACH = 64, 1.6
"""Bins a side of a histogram, which goes from -REACH to REACH in natural logarithms."""
WIDTH = 32
HIDDEN = 128
DROPPED = 0.3
"""Of what is seen, in training."""
CLIPPED, BLACK = 0.985, 0.02
"""Pixels with a channel at or above the one, or below the other, have lost their hue."""


def convolutions(*channels: int, first: int) -> nn.Sequential:
    """Convolutions that halve the sides, each with SiLU; the kernel of the first is `first` pixels wide."""
    layers: list[nn.Module] = []
    for index, (below, above) in enumerate(pairwise(channels)):
        kernel = 3 if index else first
        layers += [nn.Conv2d(below, above, kernel, 2, kernel // 2), nn.SiLU()]
    return nn.Sequential(*layers)


class Illuminant(nn.Module):
    """A whole picture, of any size, to the natural logarithms of its cast's gains on sRGB values.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, 3)``; 0 where the picture has no cast
    """

    coordinates: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.histograms = convolutions(8, WIDTH, 2 * WIDTH, 2 * WIDTH, 2 * WIDTH, first=5)
        self.picture = convolutions(3, 24, 48, 64, 96, first=5)
        self.first = nn.Linear(2 * WIDTH * (BINS // 16) ** 2 + 2 * 96, HIDDEN)
        self.last = nn.Linear(HIDDEN, 3)
        self.drop = nn.Dropout(DROPPED)
        line = torch.linspace(-1, 1, BINS)
        self.register_buffer("coordinates", torch.stack(torch.meshgrid(line, line, indexing="ij"))[None], False)

    def forward(self, image: Tensor) -> Tensor:
        small = F.interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True).clamp(0, 1)
        places = self.coordinates.expand(len(small), -1, -1, -1)
        hues = self.histograms(torch.cat((log_chroma(small), places), dim=1)).flatten(1)
        shapes = self.picture(F.avg_pool2d(small, 2) * 2 - 1)
        seen = torch.cat((hues, shapes.mean((2, 3)), shapes.amax((2, 3))), dim=1)
        gains: Tensor = self.last(self.drop(F.silu(self.first(self.drop(seen)))))
        return gains


def log_chroma(image: Tensor) -> Tensor:
    """Histograms of log red/green and log blue/green, the roots of their shares; linearly shared between bins.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, 6, BINS, BINS)``: all pixels, weighted by brightness, the light ones, the
    dark ones, edges, clipped pixels
    """
    red, green, blue = image.clamp(min=1 / 255).log().unbind(1)
    brightness, low, high = image.mean(1), image.amin(1), image.amax(1)
    known = (high < CLIPPED) & (low > BLACK)
    edges = F.pad(brightness.diff(dim=2).abs(), (0, 1)) + F.pad(brightness.diff(dim=1).abs(), (0, 0, 0, 1))
    weights = torch.stack(
        (
            known.float(),
            known * brightness,
            known * (brightness - 0.55).clamp(min=0),
            known * (0.25 - brightness).clamp(min=0) * 3,
            known * edges * 8,
            (high >= CLIPPED).float(),
        ),
        dim=1,
    ).flatten(2)
    step = 2 * REACH / BINS
    place = ((torch.stack((red - green, blue - green), dim=1) + REACH) / step - 0.5).clamp(0, BINS - 1.001).flatten(2)
    # Products of matrices, since adding up by index gives other digits at every call on a GPU.
    bins = torch.arange(BINS, device=image.device)
    across, down = (1 - (place[..., None] - bins).abs()).clamp(min=0).unbind(1)
    found = torch.einsum("bkn,bni,bnj->bkij", weights, across, down)
    shares = found / found.sum((2, 3), keepdim=True).clamp(min=1e-3)
    return 4 * shares.sqrt()
