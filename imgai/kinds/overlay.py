"""The ``overlay`` kind of masks: the picture with each class tinted and outlined."""

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
    """Yield a JPEG, or a PNG if the output file is named so."""
    suffix = page.suffix or ".jpg"
    pixels = overlay(page)
    yield Rendered(encoded(pixels, page.sample, suffix), suffix)


def overlay(page: Page) -> np.ndarray:
    """Draw each class, or each object if the model separates objects, in a colour. Shape: ``(H, W, 3)`` uint8."""
    mask: Mask = page.output
    given = to_pixels(page.sample)
    pixels = np.empty((*given.shape[:2], 3), dtype=np.uint8)
    # In bands of rows, to avoid a float copy of the whole picture.
    bands = [slice(top, top + _BAND) for top in range(0, given.shape[0], _BAND)]
    for rows in bands:
        pixels[rows] = on_paper(given[rows], page.range)
    del given
    by_object = mask.instances is not None
    thickness = max(1, round(min(pixels.shape[:2]) / 400))
    for index, (_, numbers, values) in enumerate(numbered(page)):
        edge = _outline(numbers, thickness, apart=not by_object)
        if by_object:
            _tint_objects(pixels, numbers, values, edge)
        else:
            _tint(pixels, numbers, values, edge, COLORS[index % len(COLORS)])
    return pixels


def _tint(pixels: np.ndarray, numbers: np.ndarray, values: np.ndarray, edge: np.ndarray, color: np.ndarray) -> None:
    """Tint pixels in place in proportion to the mask. Integer arithmetic: 128 is full coverage."""
    soft = np.arange(256, dtype=np.float32) / 255
    weights = np.concatenate((soft, np.maximum(soft, _TINT))) * _TINT * 128
    weights = (weights + 0.5).astype(np.int16)
    columns = np.flatnonzero(values.any(axis=0))
    if not columns.size:
        return
    span = slice(int(columns[0]), int(columns[-1]) + 1)
    full = np.tile(color.astype(np.int16), span.stop - span.start)
    for top in range(0, len(pixels), _CACHED // 4):
        rows = slice(top, top + _CACHED // 4)
        level = values[rows, span].astype(np.uint16)
        if not level.any():
            continue
        level += (numbers[rows, span] > 0).astype(np.uint16) << 8
        share = np.empty((*level.shape, 3), dtype=np.int16)
        share[..., 0] = share[..., 1] = share[..., 2] = weights[level]
        share[edge[rows, span]] = 128
        part = pixels[rows, span].reshape(len(level), -1).astype(np.int16)
        change = full - part
        change *= share.reshape(part.shape)
        change += 64
        change >>= 7
        part += change
        pixels[rows, span] = part.reshape(share.shape)


def _tint_objects(pixels: np.ndarray, numbers: np.ndarray, values: np.ndarray, edge: np.ndarray) -> None:
    """Tint each object in place with a colour that differs from its neighbours' in most cases."""
    for top in range(0, len(pixels), _BAND):
        rows = slice(top, top + _BAND)
        places = np.flatnonzero(numbers[rows])
        if not places.size:
            continue
        part, inside = pixels[rows].reshape(-1, 3), numbers[rows].ravel()[places]
        share = np.maximum(values[rows].ravel()[places].astype(np.float32) / 255, _TINT) * _TINT
        share[edge[rows].ravel()[places]] = 1
        tinted = part[places] * (1 - share[:, None]) + COLORS[(inside - 1) % len(COLORS)] * share[:, None]
        part[places] = (tinted + 0.5).astype(np.uint8)


def _outline(numbered: np.ndarray, thickness: int, *, apart: bool) -> np.ndarray:
    """Return the inner border of each object. Shape: ``(H, W)`` bool.

    apart: objects do not touch, so that only borders to the background are needed.
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
    """Return the minimum or maximum of every square window of that side, in log2(side) passes.

    Shape: ``(H, W)`` to ``(H - side + 1, W - side + 1)``.
    """
    for axis in (0, 1):
        reached = 1
        while reached < side:
            step = min(reached, side - reached)
            values = choose(values[:-step], values[step:]) if axis == 0 else choose(values[:, :-step], values[:, step:])
            reached += step
    return values
