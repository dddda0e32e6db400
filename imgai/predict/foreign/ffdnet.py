"""FFDNet (Zhang, Zuo, Zhang 2018, arXiv:1710.04026): a denoiser that is told how strong the noise is.

spandrel does not know it. Files have the names of the authors' own (https://github.com/cszn/KAIR, MIT).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVEL = 15 / 255
"""The standard deviation of the noise that it is told, a middle one: files do not say any."""


class FFDNet(nn.Module):
    """Convolutions at half the size, which see the four pixels of each place and the level of the noise.

    Shape: ``(B, channels, H, W)`` in [0, 1] with even sides, to the same
    """

    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        sides = [4 * channels + 1, *[width] * (layers - 1), 4 * channels]
        parts: list[nn.Module] = []
        for taken, made in itertools.pairwise(sides):
            parts += [nn.Conv2d(taken, made, 3, padding=1), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*parts[:-1])

    def forward(self, image: Tensor) -> Tensor:
        seen = F.pixel_unshuffle(image, 2)
        level = torch.full_like(seen[:, :1], LEVEL)
        return F.pixel_shuffle(self.model(torch.cat((seen, level), 1)), 2)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of the network with the attributes of spandrel's descriptors."""

    model: FFDNet
    input_channels: int
    output_channels: int
    architecture: Any = field(default_factory=lambda: SimpleNamespace(name="FFDNet"))
    purpose: str = "Restoration"
    scale: int = 1
    size_requirements: Any = field(default_factory=lambda: SimpleNamespace(minimum=2, multiple_of=2, square=False))
    tiling: Any = field(default_factory=lambda: SimpleNamespace(name="SUPPORTED"))
    supports_half: bool = True
    supports_bfloat16: bool = True


def built(state: Mapping[str, Tensor]) -> Descriptor | None:
    """The network of a state dict; None if it holds none."""
    names = [f"model.{2 * index}.{what}" for index in range(len(state) // 2) for what in ("weight", "bias")]
    if len(names) < 6 or set(names) != set(state) or not all(re.fullmatch(r"model\.\d+\.\w+", name) for name in state):
        return None
    first, last = (tuple(state[name].shape) for name in (names[0], names[-2]))
    if len(first) != 4 or len(last) != 4:
        return None
    channels = last[0] // 4
    if channels not in (1, 3) or first[1:] != (4 * channels + 1, 3, 3):
        return None
    network = FFDNet(channels, first[0], len(names) // 2)
    try:
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError:  # of other shapes
        return None
    return Descriptor(network, channels, channels)
