"""Synthetic pictures, the same every time."""

from __future__ import annotations

import torch
from torch import Tensor


def gradient(height: int, width: int) -> Tensor:
    """Draw a gradient: red increases to the right, green downwards, blue towards the middle.

    Shape: ``(1, 3, H, W)`` float32 in [0, 1].
    """
    y = torch.linspace(0, 1, height)[:, None].expand(height, width)
    x = torch.linspace(0, 1, width)[None, :].expand(height, width)
    return torch.stack((x, y, 1 - (x - 0.5).abs() - (y - 0.5).abs()))[None].contiguous()


def discs(height: int, width: int, *, count: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Draw bright discs of several sizes on a dark, noisy background, and return them with their mask.

    Shape: ``(1, 3, H, W)`` float32 in [0, 1] and ``(H, W)`` bool.
    """
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(height)[:, None].float()
    x = torch.arange(width)[None, :].float()
    inside = torch.zeros(height, width, dtype=torch.bool)
    for _ in range(count):
        row, column, size = torch.rand(3, generator=generator).tolist()
        radius = (0.05 + 0.1 * size) * min(height, width)
        inside |= (y - row * height) ** 2 + (x - column * width) ** 2 < radius**2
    gray = 0.15 + 0.7 * inside.float() + 0.03 * torch.randn(height, width, generator=generator)
    return gray.clamp(0, 1).expand(1, 3, -1, -1).contiguous(), inside


def noise(height: int, width: int, *, seed: int = 0) -> Tensor:
    """Draw every value at random, uniformly. Shape: ``(1, 3, H, W)`` float32 in [0, 1]."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def scratches(height: int, width: int) -> Tensor:
    """Draw a mask of thin lines that cover a tenth of the picture; the top left pixel is never masked.

    Shape: ``(1, 1, H, W)`` bool.
    """
    y = torch.arange(height)[:, None]
    x = torch.arange(width)[None, :]
    return ((3 * x + y) % 40 >= 36)[None, None]
