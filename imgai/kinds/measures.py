"""Measures of all numbered objects of a picture, computed together.

Area, centroid, eccentricity, solidity and perimeter equal those of scikit-image's `regionprops`, except for rounding.
`regionprops` measures one object at a time, which takes most of a minute for the ten thousand nuclei of a large
picture; sums over the whole picture take a second. Eccentricity is of the ellipse with the same second moments, the
perimeter is Benkrid and Crookes' estimate ("Design and FPGA Implementation of a Perimeter Estimator", 2000), and
solidity is the area divided by the number of pixels in the convex hull.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_WEIGHTS = np.zeros(50)
"""The contribution of a border pixel to the perimeter, by the code of its neighbourhood: 1, plus 2 for each direct and
10 for each diagonal neighbour on the border."""
_WEIGHTS[[5, 7, 15, 17, 25, 27]] = 1
_WEIGHTS[[21, 33]] = math.sqrt(2)
_WEIGHTS[[13, 23]] = (1 + math.sqrt(2)) / 2
_BAND = 128  # rows at a time, few enough for the cache


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures of N objects, in pixels, sorted by object number. Shape: ``(N,)`` unless stated.

    numbers: the object numbers.
    x, y: the centroid; 0 is the centre of the first pixel. box: x0, y0, x1, y1, half open. Shape: ``(N, 4)``.
    score: the mean of the soft mask, 0 to 1. intensity: the mean of each channel. Shape: ``(N, C)``.
    """

    numbers: np.ndarray
    x: np.ndarray
    y: np.ndarray
    box: np.ndarray
    area: np.ndarray
    perimeter: np.ndarray
    eccentricity: np.ndarray
    solidity: np.ndarray
    score: np.ndarray
    intensity: np.ndarray


def measured(numbered: np.ndarray, soft: np.ndarray, pixels: np.ndarray) -> Measures:
    """Measure the objects.

    Shape: numbered ``(H, W)`` int32; soft ``(H, W)`` uint8, the mask; pixels ``(H, W)`` or ``(H, W, C)``, of any depth.
    """
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    count = int(numbered.max(initial=0)) + 1
    objects = [(number, place) for number, place in enumerate(ndimage.find_objects(numbered), 1) if place is not None]
    numbers = np.array([number for number, _ in objects], dtype=np.int64)
    box = np.array([(x.start, y.start, x.stop, y.stop) for _, (y, x) in objects], dtype=np.int64).reshape(-1, 4)
    # Coordinates are relative to the corner of each object, because squares of large coordinates lose precision.
    corner = np.zeros((2, count), dtype=np.int64)
    corner[:, numbers] = box[:, 1], box[:, 0]
    sums = np.zeros((7 + channels.shape[2], count))  # area, y, x, yy, yx, xx, soft, channels
    width = numbered.shape[1]
    for top in range(0, numbered.shape[0], _BAND):
        band = slice(top, top + _BAND)
        start, length, label = _runs(numbered[band])
        if not start.size:
            continue
        row = start // width
        y, x = row + top - corner[0, label], start - row * width - corner[1, label]
        # The sums of x, x + 1, ... x + length - 1, and of their squares.
        steps = length * (length - 1) // 2
        along = length * x + steps
        squares = length * x * x + 2 * x * steps + steps * (2 * length - 1) // 3
        values = [length, y * length, along, y * y * length, y * along, squares, _totals(soft[band], start, length)]
        values += [_totals(channels[band, :, index], start, length) for index in range(channels.shape[2])]
        for total, value in zip(sums, values, strict=True):
            total += np.bincount(label, value, minlength=count)
    area, y, x, yy, yx, xx, cover, *of_channels = sums[:, numbers]
    y, x = y / area, x / area
    hulls = [_hull_area(numbered[place] == number) for number, place in objects]
    return Measures(
        numbers=numbers,
        x=x + box[:, 0],
        y=y + box[:, 1],
        box=box,
        area=area.astype(np.int64),
        perimeter=_perimeters(numbered, count)[numbers],
        eccentricity=_eccentricity(yy / area - y * y, yx / area - y * x, xx / area - x * x),
        solidity=area / np.array(hulls, dtype=np.float64),
        score=cover / area / 255,
        intensity=np.array(of_channels).T / area[:, None],
    )


def _runs(band: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the start, length and number of the horizontal runs of objects; none goes beyond its row.

    Shape: ``(H, W)`` int32 to ``(N,)`` int64 each; start is an index into the flat band.
    """
    begins = np.empty(band.shape, dtype=bool)
    begins[:, 0] = True
    np.not_equal(band[:, 1:], band[:, :-1], out=begins[:, 1:])
    start = np.flatnonzero(begins)
    length, label = np.diff(start, append=band.size), band.ravel()[start]
    objects = label > 0
    return start[objects], length[objects], label[objects].astype(np.int64)


def _totals(values: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the sum of each run. Shape: values ``(H, W)`` of any integers, start and length ``(N,)`` to ``(N,)``."""
    # A zero behind the last, so that a run may end with the band; every other interval lies between two runs.
    flat = np.zeros(values.size + 1, dtype=values.dtype)
    flat[:-1].reshape(values.shape)[...] = values
    ends = np.stack((start, start + length), axis=1).ravel()
    return np.asarray(np.add.reduceat(flat, ends, dtype=np.int64)[::2])


def _eccentricity(yy: np.ndarray, yx: np.ndarray, xx: np.ndarray) -> np.ndarray:
    """From the second central moments: 0 for a circle, near 1 for a line."""
    half, root = (yy + xx) / 2, np.hypot((yy - xx) / 2, yx)
    largest, least = half + root, np.maximum(0, half - root)
    round_ = largest < 1e-9  # a single pixel
    return np.where(round_, 0, np.sqrt(1 - least / np.where(round_, 1, largest)))


def _perimeters(numbered: np.ndarray, count: int) -> np.ndarray:
    """Shape: ``(H, W)`` to ``(N + 1,)``."""
    padded = np.pad(numbered, 1)
    width, flat = padded.shape[1], padded.ravel()
    border = np.zeros(padded.shape, dtype=bool)
    for top in range(1, len(padded) - 1, _BAND):
        stop = min(top + _BAND, len(padded) - 1)
        core, here = padded[top:stop, 1:-1], border[top:stop, 1:-1]
        np.not_equal(padded[top - 1 : stop - 1, 1:-1], core, out=here)
        here |= padded[top + 1 : stop + 1, 1:-1] != core
        here |= padded[top:stop, :-2] != core
        here |= padded[top:stop, 2:] != core
        here &= core > 0
    on_border = border.ravel()
    places = np.flatnonzero(on_border)
    label = flat[places]
    kind = np.ones(places.size, dtype=np.int64)
    for step, worth in ((1, 2), (width, 2), (width + 1, 10), (width - 1, 10)):
        for beside in (places + step, places - step):
            kind += worth * (on_border[beside] & (flat[beside] == label))
    return np.bincount(label, _WEIGHTS[kind], minlength=count)


def _hull_area(shape: np.ndarray) -> int:
    """Count the pixels whose centre is in the convex hull of an object. Shape: ``(h, w)`` bool.

    As in scikit-image, the hull is that of the midpoints of the pixels' edges. Coordinates are in half pixels.
    """
    rows = np.flatnonzero(shape.any(axis=1))
    first = shape[rows].argmax(axis=1)
    last = shape.shape[1] - 1 - shape[rows][:, ::-1].argmax(axis=1)
    left = _edge(rows.tolist(), first.tolist(), shape.shape[0])
    right = _edge(rows.tolist(), (-last).tolist(), shape.shape[0])
    # Each side as x at every row; -x for the right one, whose hull is the mirrored left one.
    return sum(max(0, -b - a + 1) for a, b in zip(left, right, strict=True))


def _edge(rows: list[int], columns: list[int], height: int) -> list[int]:
    """Return, for each row, the first pixel whose centre is in the hull, given the leftmost pixel of each row.

    Exact: integer arithmetic in half pixels, and Andrew's monotone chain (1979).
    """
    least: dict[int, int] = {}
    for row, column in zip(rows, columns, strict=True):
        for y, x in ((2 * row, 2 * column - 1), (2 * row - 1, 2 * column), (2 * row + 1, 2 * column)):
            if x < least.get(y, x + 1):
                least[y] = x
    chain: list[tuple[int, int]] = []
    for y, x in sorted(least.items()):
        while len(chain) > 1:
            (y0, x0), (y1, x1) = chain[-2], chain[-1]
            if (x1 - x0) * (y - y0) < (x - x0) * (y1 - y0):
                break
            chain.pop()
        chain.append((y, x))
    firsts, at = [], 0
    for row in range(height):
        y = 2 * row
        while chain[at + 1][0] < y:
            at += 1
        (y0, x0), (y1, x1) = chain[at], chain[at + 1]
        # The smallest integer column c with 2 c on or to the right of the line.
        firsts.append(-((-(x0 * (y1 - y0) + (x1 - x0) * (y - y0))) // (2 * (y1 - y0))))
    return firsts
