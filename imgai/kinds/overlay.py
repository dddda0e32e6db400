"""The ``overlay`` kind of masks: the picture with each class tinted and outlined, for people to look at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from imgai.images import to_pixels
from imgai.kinds.numbered import numbered
from imgai.kinds.paint import COLORS, encoded, on_paper
from imgai.outputs.mask import Mask
from imgai.plugin import Page, Rendered

_TINT = 0.5
_BAND = 256


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
        edge = _outline(numbers, thickness)
        for rows in bands:
            part, inside = pixels[rows], numbers[rows]
            soft = values[rows].astype(np.float32) / 255
            weight = np.where(inside > 0, np.maximum(soft, _TINT), soft if not by_object else 0.0) * _TINT
            colors = COLORS[(inside - 1) % len(COLORS)] if by_object else COLORS[index % len(COLORS)]
            tinted = part * (1 - weight[..., None]) + colors * weight[..., None]
            tinted[edge[rows]] = colors[edge[rows]] if by_object else colors
            pixels[rows] = (tinted + 0.5).astype(np.uint8)
    return pixels


def _outline(numbered: np.ndarray, thickness: int) -> np.ndarray:
    """The border inside of each object. Shape: ``(H, W)`` bool."""
    side = 2 * thickness + 1
    least = ndimage.minimum_filter(numbered, side, mode="nearest")
    most = ndimage.maximum_filter(numbered, side, mode="nearest")
    return np.asarray((numbered > 0) & (least != most))
