"""The `document` model: ink against paper of a scanned or photographed page.

A small U-Net (Ronneberger, Fischer, Brox 2015, arXiv:1505.04597) of residual blocks (He et al., arXiv:1512.03385).
It sees the picture at half its size with the four pixels of each cell as channels, and answers with four pixels for
each cell (sub-pixel convolution, Shi et al. 2016, arXiv:1609.05158): no layer runs at full size, yet no pixel is lost.
An answer is a level plus a weighted sum of the pixel's own colours; the network says which (local affine models, after
Gharbi et al. 2017, arXiv:1707.02880), so that it decides where paper ends as finely as the picture shows it.
Light on paper is a product of illumination and reflectance, so the network is given logarithms (Land & McCann 1971): a
shadow is then a constant that is added, and the contrast of ink does not depend on it. The loss it was trained with is
binary cross-entropy plus soft Dice (Milletari et al. 2016, arXiv:1606.04797).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import kornia
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor

WIDTHS = (16, 32, 64, 96, 128)
"""Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture's size."""
GAIN = 8.0
"""Brings the weights of the colours to the size of the network's other numbers."""
FLOOR = 0.05
"""Added before the logarithm, so that noise in black areas is not blown up."""


def convolution(inputs: int, outputs: int, size: int = 3, *, stride: int = 1, norm: bool = False) -> nn.Sequential:
    """A convolution that keeps the size (at stride 1), with batch normalisation after it where asked for."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=not norm)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs)) if norm else nn.Sequential(layer)


class Block(nn.Module):
    """Two convolutions with a residual connection.

    Shape: ``(B, C, H, W)`` -> ``(B, C, H, W)``
    """

    def __init__(self, width: int, *, norm: bool = False) -> None:
        super().__init__()
        self.first = convolution(width, width, norm=norm)
        self.second = convolution(width, width, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class DocumentNet(nn.Module):
    """The network: log reflectance to the logit of ink.

    Shape: ``(B, 3, H, W)`` -> ``(B, 1, H, W)``, H and W multiples of 32.

    norm: with batch normalisation, as it is trained; the weights that are shipped have it folded into the convolutions.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, *, norm: bool = False) -> None:
        super().__init__()
        self.widths = widths
        self.stem = convolution(12, widths[0], norm=norm)
        self.down = nn.ModuleList(convolution(a, b, stride=2, norm=norm) for a, b in pairwise(widths))
        self.encode = nn.ModuleList(Block(width, norm=norm) for width in widths[1:])
        self.up = nn.ModuleList(convolution(b, a, 1, norm=norm) for a, b in pairwise(widths))
        self.decode = nn.ModuleList(Block(width, norm=norm) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], 7, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        pixels = F.pixel_unshuffle(x, 2)  # (B, 12, H / 2, W / 2): three colours of four pixels each
        x = F.relu(self.stem(pixels))
        skips = []
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(x)
            x = encode(F.relu(down(x)))
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips), strict=True):
            x = decode(F.relu(skip + F.interpolate(up(x), scale_factor=2.0, mode="nearest")))
        level, weight = self.head(x).split((4, 3), dim=1)
        answer = level + GAIN * sum(weight[:, c : c + 1] * pixels[:, 4 * c : 4 * c + 4] for c in range(3))
        return F.pixel_shuffle(answer, 2)


class Logarithm(nn.Module):
    """``log(x + FLOOR)``.

    Shape: ``(B, C, H, W)`` in [0, 1] -> ``(B, C, H, W)`` in [log FLOOR, log (1 + FLOOR)]
    """

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(x + FLOOR)


def preprocess() -> nn.Sequential:
    """The preprocessing, which is the same for every tile, so that it cannot cause seams.

    Shape: ``(B, 3, h, w)`` in [0, 1] -> ``(B, 3, h, w)`` in [-1, 1]
    """
    low, high = math.log(FLOOR), math.log(1 + FLOOR)
    middle, half = (high + low) / 2, (high - low) / 2
    normalize = kornia.enhance.Normalize(mean=torch.full((3,), middle), std=torch.full((3,), half))
    return nn.Sequential(Logarithm(), normalize)


def load(context: LoadContext) -> Predictor:
    """Load the model.

    Shape: ``(B, 3, h, w)`` in [0, 1], h and w multiples of 32 -> ``(B, 1, h, w)`` in [0, 1], 1 where there is ink

    Raises:
        ValueError: the context names no weights.
        RuntimeError: the weights are those of another network.
    """
    if context.weights is None:
        raise ValueError("the document model needs its weights")
    network = DocumentNet()
    state = load_file(context.weights, device=str(context.device))
    network.load_state_dict({name: value.float() for name, value in state.items()})
    chain = preprocess().to(context.device)
    return Predictor(
        network=network.to(context.device).eval(),
        preprocess=cast("nn.Module", chain),
        postprocess=torch.sigmoid,
    )
