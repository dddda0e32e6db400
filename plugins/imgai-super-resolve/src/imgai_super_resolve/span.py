"""The network of `faithful` and `clean`: SPAN, the swift parameter-free attention network.

Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", 2023, arXiv:2311.12770. Six
blocks of three convolutions; the answer of each block is weighted by how far it lies from zero, which needs no
parameters of its own. Each convolution was trained as a chain of 1x1, 3x3 and 1x1 beside a 1x1 and is run as the one
3x3 that they amount to. The pictures go in and come out in [0, 1], without a mean taken off.

The files hold the names that spandrel and the programs built on it look for, so they open there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Predictor
from imgai_super_resolve.turned import predictor

if TYPE_CHECKING:
    from pathlib import Path

    from imgai.plugin import LoadContext

BLOCKS = 6


def convolution(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    """A convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


class Block(nn.Module):
    """Three convolutions, and attention without parameters.

    Shape: ``(B, C, H, W)`` to the block's answer and its first features, both ``(B, C, H, W)``.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c1_r = convolution(width, width)
        self.c2_r = convolution(width, width)
        self.c3_r = convolution(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = F.silu(self.c1_r(x))
        last = self.c3_r(F.silu(self.c2_r(first)))
        return (last + x) * (torch.sigmoid(last) - 0.5), first


class Span(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3, H * scale, W * scale)``, around [0, 1].

    width: channels of the features.
    """

    def __init__(self, scale: int, width: int = 48) -> None:
        super().__init__()
        self.conv_1 = convolution(3, width)
        for number in range(1, BLOCKS + 1):
            self.add_module(f"block_{number}", Block(width))
        self.conv_2 = convolution(width, width)
        self.conv_cat = convolution(4 * width, width, 1)
        self.upsampler = nn.Sequential(convolution(width, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, image: Tensor) -> Tensor:
        begin = x = self.conv_1(image)
        answers = []
        for number in range(1, BLOCKS + 1):
            x, first = self.get_submodule(f"block_{number}")(x)
            answers.append(x)
        kept = torch.cat((begin, self.conv_2(x), answers[0], first), dim=1)
        return cast("Tensor", self.upsampler(self.conv_cat(kept)))


def load_weights(file: Path, scale: int) -> Span:
    """The network of a file. Raises RuntimeError if the weights are those of another network."""
    state = load_file(file)
    # The chains that were trained are in the file too, for programs that merge them themselves.
    merged = {
        name.replace(".eval_conv.", "."): value.float()
        for name, value in state.items()
        if ".sk." not in name and ".conv." not in name and name != "no_norm"
    }
    if "conv_1.weight" not in merged:
        raise RuntimeError(f"{file.name} holds no SPAN: there is no conv_1.eval_conv.weight in it")
    network = Span(scale, width=merged["conv_1.weight"].shape[0])
    network.load_state_dict(merged)
    return network.eval()


def load(context: LoadContext) -> Predictor:
    """Load a model.

    Shape: ``(B, 3, h, w)`` in [0, 1] to ``(B, 3, h * scale, w * scale)``, around [0, 1]

    Raises:
        ValueError: the context names no weights.
        RuntimeError: the weights are those of another network.
    """
    return predictor(context, load_weights)
