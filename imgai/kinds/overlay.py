"""The ``overlay`` kind of masks: the picture with each class tinted and outlined, for people to look at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from imgai.images import to_pixels
from imgai.kinds.numbered import numbered
from imgai.kinds.paint import COLORS, encoded, on_paper
from imgai.outputs.mask import Mask
from imgai.plugin import Page, Rendered

_TINT = 0.5
_BAND = 256
_CACHED = 64  # rows that fit into the cache


def render(page: Page) -> Iterator[Rendered]:
    """A JPEG, or a PNG where the file is named so."""
    suffix = page.suffix or ".jpg"
    pixels = overlay(page)
    yield Rendered(encoded(pixels, page.sample, suffix), suffix)


def overlay(page: Page) -> np.ndarray:
    """Each class has a colour, or each object where the model tells objects apart. Shape: ``(H, W, 3)`` uint8."""
    mask: Mask = page.output
    given = to_pixels(page.sample)
    pixels = np.empty((*given.shape[:2], 3), dtype=np.uint8)
    # By bands of rows, so that no float copy of the whole picture is made.
    bands = [slice(top, top + _BAND) for top in range(0, given.shape[0], _BAND)]
    for rows in bands:
        pixels[rows] = on_paper(given[rows], page.range)
    del given
    by_object = mask.instances is not None
    thickness = max(1, round(min(pixels.shape[:2]) / 400))
    for index, (_, numbers, values) in enumerate(numbered(page)):
        edge = _outline(numbers, thickness, apart=not by_object)
        for rows in bands:
            inside = numbers[rows]
            soft = values[rows].astype(np.float32) / 255
            weight = np.where(inside > 0, np.maximum(soft, _TINT), soft if not by_object else 0.0) * _TINT
            weight[edge[rows]] = 1
            tinted = np.flatnonzero(weight)  # most of a picture is not: of the rest, nothing is computed
            if not tinted.size:
                continue
            part, share = pixels[rows].reshape(-1, 3), weight.ravel()[tinted, None]
            colors = COLORS[(inside.ravel()[tinted] - 1) % len(COLORS)] if by_object else COLORS[index % len(COLORS)]
            part[tinted] = (part[tinted] * (1 - share) + colors * share + 0.5).astype(np.uint8)
    return pixels


def _outline(numbered: np.ndarray, thickness: int, *, apart: bool) -> np.ndarray:
    """The border inside of each object. Shape: ``(H, W)`` bool.

    apart: objects do not touch; their borders are then those to what has no number.
    """
    values = (numbered > 0).astype(np.uint8) if apart else numbered
    around = np.pad(values, thickness, mode="edge")
    edge = np.empty(values.shape, dtype=bool)
    for top in range(0, len(values), _CACHED):
        rows = slice(top, min(top + _CACHED, len(values)))
        part = around[top : rows.stop + 2 * thickness]
        least = _reach(part, 2 * thickness + 1, np.minimum)
        other = values[rows] if apart else _reach(part, 2 * thickness + 1, np.maximum)
        edge[rows] = (values[rows] > 0) & (least != other)
    return edge


def _reach(values: np.ndarray, side: int, choose: np.ufunc) -> np.ndarray:
    """The least or the largest value of every square of that side.

    Each round looks twice as far as the one before.

    Shape: ``(H, W)`` to ``(H - side + 1, W - side + 1)``
    """
    for axis in (0, 1):
        reached = 1
        while reached < side:
            step = min(reached, side - reached)
            values = choose(values[:-step], values[step:]) if axis == 0 else choose(values[:, :-step], values[:, step:])
            reached += step
    return values
