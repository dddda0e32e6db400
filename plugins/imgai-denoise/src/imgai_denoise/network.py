"""The network of `photo`, and what both denoisers share.

A U-Net (Ronneberger, Fischer, Brox 2015, arXiv:1505.04597) of residual blocks without normalisation, in the manner of
DRUNet (Zhang et al. 2021, arXiv:2008.13751) but a thirtieth of its size. It has no biases anywhere, so that a picture
and its noise may be scaled together without changing the answer's form (Mohan et al. 2020, arXiv:1906.05478): the
network is blind to the level of the noise. It sees the picture at half its size with the four pixels of each cell as
channels (FFDNet, Zhang et al. 2018, arXiv:1710.04026), and answers with the noise, which is subtracted from the pixels
as they were: what it leaves alone keeps all of its 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor, identity

WIDTHS = (48, 80, 128)
"""Channels at 1/2, 1/4 and 1/8 of the picture's size."""
BLOCKS = (2, 2, 4)
"""The number of residual blocks at each size, in the encoder and again in the decoder except for the last."""
MARGIN = 8
"""Pixels of reflection padding around every tile."""
CELL, AREA = 8, 7
"""Of the means over areas: the side of cells in pixels, and how many of them the window's side has."""
STEADY = 0.5
"""How far noise may move the mean of an area, as a share of the noise's standard deviation there."""


class Block(nn.Module):
    """Two convolutions with a residual connection.

    Shape: ``(B, C, H, W)`` -> ``(B, C, H, W)``
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.second(F.relu(self.first(x)))
        return x + change


def blocks(width: int, count: int) -> nn.Sequential:
    """Return a sequence of residual blocks."""
    return nn.Sequential(*(Block(width) for _ in range(count)))


def window_mean(x: Tensor, side: int) -> Tensor:
    """The mean over side x side, an odd number, of what lies within the picture. Shape: ``(B, C, h, w)``, kept"""
    half = side // 2
    rows = F.avg_pool2d(x, (side, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, side), 1, (0, half), count_include_pad=False)


def area_mean(x: Tensor) -> Tensor:
    """The mean around each pixel, over 7x7 cells of 8x8 pixels and once more. Shape: ``(B, C, H, W)``, kept"""
    x = F.avg_pool2d(x, CELL)
    for _ in range(2):
        x = window_mean(x, AREA)
    return F.interpolate(x, scale_factor=float(CELL), mode="bilinear", align_corners=False)


def steadied(noise: Tensor) -> Tensor:
    """Noise that moves no colour of a larger area by more than STEADY of its own strength there.

    What is taken for a blotch of that size where there is little noise is the picture's own: the warp of a cloth, a
    shade on a wall. Shape: ``(B, C, H, W)``, H and W multiples of 8, kept
    """
    with torch.autocast(noise.device.type, enabled=False):
        noise = noise.float()
        mean = area_mean(noise)
        grain = noise - mean
        most = STEADY * (area_mean(grain.square()) + 1e-9).sqrt()
        return grain + torch.maximum(torch.minimum(mean, most), -most)


class DenoiseNet(nn.Module):
    """The network, which predicts the noise in a picture.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, 3, H, W)`` around 0, H and W multiples of 8.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, counts: tuple[int, ...] = BLOCKS) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1, bias=False)
        self.encode = nn.ModuleList(map(blocks, widths[:-1], counts[:-1]))
        self.down = nn.ModuleList(nn.Conv2d(wide, deep, 2, 2, bias=False) for wide, deep in steps)
        self.middle = blocks(widths[-1], counts[-1])
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, wide, 2, 2, bias=False) for wide, deep in steps)
        self.decode = nn.ModuleList(map(blocks, widths[:-1], counts[:-1]))
        self.head = nn.Conv2d(widths[0], 12, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(F.pixel_unshuffle(x, 2))  # (B, 12, H / 2, W / 2): three colours of four pixels each
        skips = []
        for encode, down in zip(self.encode, self.down, strict=True):
            x = encode(x)
            skips.append(x)
            x = down(x)
        x = self.middle(x)
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips), strict=True):
            x = decode(up(x) + skip)
        return steadied(F.pixel_shuffle(self.head(x), 2))


class Denoiser(nn.Module):
    """Subtracts a fraction of the predicted noise from the picture.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, 3, H, W)``, which the host cuts to [0, 1]; H and W multiples of 8.

    strength: how much of the noise is taken away, 0 to 1.
    """

    def __init__(self, noise: nn.Module, strength: float = 1.0) -> None:
        super().__init__()
        self.noise = noise
        self.strength = strength

    def forward(self, x: Tensor) -> Tensor:
        noise: Tensor = self.noise(x)
        return x - self.strength * noise


def pad(x: Tensor) -> Tensor:
    """Continue a picture by MARGIN on every side. Shape: ``(B, 3, h, w)`` -> ``(B, 3, h + 16, w + 16)``"""
    return F.pad(x, (MARGIN, MARGIN, MARGIN, MARGIN), mode="reflect")


def crop(x: Tensor) -> Tensor:
    """Undo `pad`. Shape: ``(B, 3, h + 16, w + 16)`` -> ``(B, 3, h, w)``"""
    return x[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def load(context: LoadContext) -> Predictor:
    """Load `photo`.

    Shape: ``(B, 3, h, w)`` in [0, 1], h and w multiples of 8 and at least 16 -> the same

    Raises:
        ValueError: the context names no weights, or the file holds those of another network.
    """
    return load_into(DenoiseNet, context)


def load_into(make: Callable[[], nn.Module], context: LoadContext) -> Predictor:
    """Load a model whose network predicts the noise: it is made, and given the weights. As `load`."""
    strength = float(getattr(context.params, "strength", 1.0))
    if strength == 0:
        return Predictor(network=identity)
    name = context.model.name
    if context.weights is None:
        raise ValueError(f"the {name} denoiser needs its weights")
    network = make()
    state = load_file(context.weights, device=str(context.device))
    try:
        network.load_state_dict({key: value.to(torch.float32) for key, value in state.items()})
    except RuntimeError as error:
        raise ValueError(f"{context.weights.name} does not hold the weights of the {name} denoiser") from error
    denoiser = Denoiser(network, strength).to(context.device).eval()
    return Predictor(preprocess=pad, network=denoiser, postprocess=crop)
