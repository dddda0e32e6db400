"""Determine requirements of a network (minimum size, overlap) by running it on small pictures."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_SEEN = 1 / 255
"""A difference that counts: a level."""
_FARTHEST = 96  # pixels from an edge that are looked at
_BEYOND = 48  # pixels that are cut off
_ROWS = 32


def picture(height: int, width: int, channels: int) -> Tensor:
    """A picture with edges, texture and flat parts, always the same. Shape: ``(1, channels, height, width)``"""
    generator = torch.Generator().manual_seed(7)
    y = torch.arange(height)[:, None] / 9.0
    x = torch.arange(width)[None, :] / 7.0
    waves = 0.5 + 0.2 * torch.sin(x + 0.3 * y) + 0.15 * torch.sin(2.9 * y - x)
    steps = ((torch.arange(width)[None, :] // 11 + torch.arange(height)[:, None] // 13) % 3 - 1) * 0.12
    noise = 0.04 * torch.randn((channels, height, width), generator=generator)
    return (waves + steps + noise).clamp(0, 1)[None]


def smallest(network: Callable[[Tensor], Tensor], least: int, multiple_of: int, channels: int) -> int:
    """The least side that the network takes, at least `least`. Raises what it raises at the largest that is tried."""
    side = _up(max(least, 8), multiple_of)
    while True:
        try:
            with torch.inference_mode():
                network(picture(side, side, channels))
        except Exception:
            if side >= 256:
                raise
            side = _up(side * 2, multiple_of)
        else:
            return side


def overlap(network: Callable[[Tensor], Tensor], scale: int, least: int, multiple_of: int, channels: int) -> int:
    """Return the overlap of tiles at which they differ from the whole by no more than rounding.

    The network runs on a strip and on the same strip cut short, which tells by how much an answer is off at each
    distance from a tile's edge. Of an overlap the host leaves a third out and fades over the next third; the least is
    taken whose blend is within a level. Of networks that look farther, it is the one with the least difference.
    """
    rows, kept = (_up(max(side, least), multiple_of) for side in (_ROWS, _FARTHEST))
    strip = picture(rows, kept + _up(max(_BEYOND, least), multiple_of), channels)
    with torch.inference_mode():
        whole = network(strip)[..., : kept * scale]
        cut = network(strip[..., :kept].contiguous())
    differences = (whole - cut).abs().amax((0, 1, 2)).reshape(kept, scale).amax(1).flip(0)
    # At a distance or any farther one: a single column may be right by chance.
    worst = differences.flip(0).cummax(0).values.flip(0)
    if float(worst[0]) <= _SEEN:
        return 0
    found: list[tuple[float, int]] = []
    for third in range(1, kept // 2 + 1):
        share = (torch.arange(third) + 0.5) / third
        edge = worst[third : 2 * third]
        found.append((float((share * edge + (1 - share) * edge.flip(0)).max()), 3 * third))
        if found[-1][0] <= _SEEN:
            return 3 * third
    return min(found)[1]


def _up(size: int, multiple_of: int) -> int:
    return -(-size // multiple_of) * multiple_of
