"""A smooth displacement of pixels, which keeps the network's strokes from a regular lattice.

On even areas the network repeats one stroke at a fixed distance. A picture is therefore bent a little before it is
painted, and what was painted is bent back: the picture's own lines return to where they were, and strokes that lay on
a lattice of the bent picture no longer do. The displacement is a fixed function of the place in the whole picture, so
that tiles meet and the same picture is painted the same way again.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from kornia.geometry.transform import remap
from torch import Tensor

WAVES = 12
"""How many plane waves are summed."""
SHORTEST, LONGEST = 40.0, 160.0
"""Their wavelengths in pixels: much longer than a stroke, which keeps its shape, and shorter than an even area."""
SLOPE = 0.45
"""How much the distance of neighbours changes, as a root mean square: far enough below 1 that nothing folds."""
STEP = 4
"""Pixels between the points at which the displacement is computed; it is interpolated between them."""
ROUNDS = 8
"""Iterations of the fixed point that inverts it."""


@lru_cache(maxsize=1)
def _waves() -> tuple[Tensor, ...]:
    """Wave numbers down and across, phases, and amplitudes down and across, each ``(WAVES,)``; always the same."""
    random = np.random.default_rng(0)
    length = np.exp(random.uniform(math.log(SHORTEST), math.log(LONGEST), WAVES))
    direction, phase, towards = random.uniform(0, 2 * math.pi, (3, WAVES))
    number = 2 * math.pi / length
    amplitude = SLOPE / math.sqrt(WAVES) / number
    rows = (
        number * np.cos(direction),
        number * np.sin(direction),
        phase,
        amplitude * np.cos(towards),
        amplitude * np.sin(towards),
    )
    return tuple(torch.from_numpy(row.astype(np.float32)) for row in rows)


def displacement(y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """How far a pixel is moved down and across, in pixels. Shape: places ``(H, W)`` twice to ``(H, W)`` twice"""
    down, across, phase, tall, wide = (row.to(y.device) for row in _waves())
    wave = torch.sin(y[..., None] * down + x[..., None] * across + phase)
    return wave @ tall, wave @ wide


class Bend:
    """The displacement over a tile.

    height, width: of the tile, in pixels.
    top, left: of the tile in its picture.
    """

    def __init__(self, height: int, width: int, top: float, left: float, device: torch.device) -> None:
        # Points beyond the border on every side, so that all pixels lie between four of them.
        rows, columns = (torch.arange(-(-side // STEP) + 2, device=device) * float(STEP) for side in (height, width))
        start = (STEP + 1) / 2
        y, x = torch.meshgrid(rows - start + top, columns - start + left, indexing="ij")
        there = displacement(y, x)
        back_y, back_x = y, x
        for _ in range(ROUNDS):
            down, across = displacement(back_y, back_x)
            back_y, back_x = y - down, x - across
        self._size = height, width
        self._there = self._maps(*there)
        self._back = self._maps(back_y - y, back_x - x)

    def _maps(self, down: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
        """From points to pixels: where each is to be read, ``(1, H, W)`` down and across."""
        height, width = self._size
        size = [STEP * side for side in down.shape]
        both = F.interpolate(torch.stack((down, across))[None], size, mode="bilinear", align_corners=False)[0]
        # Point i lies at pixel i STEP - (STEP + 1) / 2 of the tile, which is STEP pixels later here.
        both = both[:, STEP : STEP + height, STEP : STEP + width]
        rows, columns = (torch.arange(side, device=down.device, dtype=torch.float32) for side in self._size)
        return (both[0] + rows[:, None])[None], (both[1] + columns)[None]

    def there(self, image: Tensor) -> Tensor:
        """Bend a picture. Shape: ``(B, 3, H, W)``, kept"""
        return _read(image, self._there, "bilinear")

    def back(self, image: Tensor) -> Tensor:
        """Undo `there`; a little sharpness is lost. Shape: ``(B, 3, H, W)`` in [0, 1], kept"""
        return _read(image, self._back, "bicubic").clamp(0, 1)


@lru_cache(maxsize=2)
def bend(height: int, width: int, top: float, left: float, device: torch.device) -> Bend:
    """The displacement over a tile, kept for the next of the same size and place."""
    return Bend(height, width, top, left, device)


def _read(image: Tensor, maps: tuple[Tensor, Tensor], mode: str) -> Tensor:
    y, x = (each.expand(len(image), -1, -1) for each in maps)
    return remap(image, x, y, mode=mode, padding_mode="reflection", align_corners=True, normalized_coordinates=False)
