"""Choose the crop of a picture as a run would: a tile, the whole picture, or its centre."""

from __future__ import annotations

import math

import numpy as np

from imgai.plugin import Model
from imgai.training.augment import Amounts
from imgai.training.windows import Window

FOCUSED = 0.5
"""The part of the crops that are around a place that was given."""
_CROP_SHAPE, _STRETCH = 0.25, 0.15
"""How far a part of a picture is drawn out: of one that is cropped in a run, and of one that is stretched there."""


def window_of(
    model: Model,
    size: tuple[int, int],
    picture: tuple[int, int],
    amount: Amounts,
    rng: np.random.Generator,
    *,
    focus: np.ndarray | None = None,
    scale: int = 1,
) -> Window:
    """A window on a picture of so many rows and columns.

    size: (H, W) of what the network takes. focus: places of which one is in the window, by half a chance, (N, 2).
    scale: of crops alone: the picture is the target, by so much larger.
    """
    if model.input_size is None:
        return _tile((scale * size[0], scale * size[1]), picture, amount, rng, focus)
    if model.fit == "letterbox":
        return _letterboxed(size, picture, amount, rng)
    if model.crop is not None:
        return _middle(model.crop, size, picture, amount, rng)
    return _whole(size, picture, amount, rng)


def _tile(
    size: tuple[int, int], picture: tuple[int, int], amount: Amounts, rng: np.random.Generator, focus: np.ndarray | None
) -> Window:
    factor = _factor(amount, rng)
    height, width = (max(1, round(side * factor)) for side in size)
    if focus is not None and len(focus) and rng.random() < FOCUSED:
        y, x = focus[int(rng.integers(len(focus)))]
        top = _inside(int(y - rng.integers(height)), picture[0], height)
        left = _inside(int(x - rng.integers(width)), picture[1], width)
    else:
        top, left = _place(picture[0], height, rng), _place(picture[1], width, rng)
    return Window(top, left, height, width, size)


def _letterboxed(size: tuple[int, int], picture: tuple[int, int], amount: Amounts, rng: np.random.Generator) -> Window:
    share = min(size[0] / picture[0], size[1] / picture[1])
    factor = _factor(amount, rng)
    height, width = (max(1, round(side / share * factor)) for side in size)
    if not amount.zoom:
        return Window((picture[0] - height) // 2, (picture[1] - width) // 2, height, width, size)
    return Window(_place(picture[0], height, rng), _place(picture[1], width, rng), height, width, size)


def _middle(
    crop: float, size: tuple[int, int], picture: tuple[int, int], amount: Amounts, rng: np.random.Generator
) -> Window:
    side = crop * min(picture)
    if amount.least == 1:
        whole = max(1, round(side))
        return Window((picture[0] - whole) // 2, (picture[1] - whole) // 2, whole, whole, size)
    side *= math.sqrt(rng.uniform(amount.least, 1.1))
    shape = math.exp(rng.uniform(-_CROP_SHAPE, _CROP_SHAPE))
    return _part(side / shape, side * shape, size, picture, rng)


def _whole(size: tuple[int, int], picture: tuple[int, int], amount: Amounts, rng: np.random.Generator) -> Window:
    if amount.least == 1:
        return Window(0, 0, *picture, size)
    share = math.sqrt(rng.uniform(amount.least, 1.0))
    shape = math.exp(rng.uniform(-_STRETCH, _STRETCH))
    return _part(picture[0] * share / shape, picture[1] * share * shape, size, picture, rng)


def _part(
    height: float, width: float, size: tuple[int, int], picture: tuple[int, int], rng: np.random.Generator
) -> Window:
    down, across = max(1, min(round(height), picture[0])), max(1, min(round(width), picture[1]))
    return Window(_place(picture[0], down, rng), _place(picture[1], across, rng), down, across, size)


def _factor(amount: Amounts, rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(-amount.zoom, amount.zoom)) if amount.zoom else 1.0


def _place(side: int, wide: int, rng: np.random.Generator) -> int:
    """Draw the start of a window inside the picture; a window larger than the picture contains all of it."""
    return int(rng.integers(min(0, side - wide), max(0, side - wide) + 1))


def _inside(at: int, side: int, wide: int) -> int:
    """The nearest beginning that `_place` could have chosen."""
    return min(max(at, min(0, side - wide)), max(0, side - wide))
