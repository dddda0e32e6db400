"""Find a sheet of paper in a picture (its corners and the skew of its lines), and rectify it."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

_SMALL = 512  # longer side, in pixels, of the view in which the sheet is searched
_LEAST_SHARE = 0.2  # minimum area of a sheet, as a fraction of the picture
_LEAST_LIGHTER = 0.15  # minimum difference in lightness between sheet and background, as a fraction of the range
_LEAST_LIGHT = 0.65  # minimum fraction of light pixels in the sheet, and of dark pixels around it
_FULL = 0.97  # a sheet that covers more of the picture has no visible background
_LEAST_FILLED = 0.9  # minimum fraction of the quadrilateral covered by the light part
_MOST_LEAN = 12.0  # degrees
_STANDS_OUT = 1.5  # minimum score of the best angle, as a multiple of the median over all angles
_TOLD = 0.02  # minimum perspective from which the focal length can be estimated
_USUAL = 0.75  # focal length of phones, in units of the longer side of the picture
_NEAREST, _FARTHEST = 0.4, 5.0  # range of focal lengths, in units of the longer side of the picture
_LEAST_INK = 200  # minimum number of ink pixels to estimate the skew

Corners = np.ndarray
"""The corners of a sheet: upper left, upper right, lower right, lower left; x and y in pixels. Shape: ``(4, 2)``."""


def corners_of(light: np.ndarray) -> Corners | None:
    """Find a sheet that is lighter than its background. None if there is none.

    The picture is thresholded (Otsu 1979) and the ink filled in. The corners are the quadrilateral of largest area
    within the convex hull of the largest light component.

    Shape: ``(H, W)`` float in [0, 1].
    """
    height, width = light.shape
    factor = min(1.0, _SMALL / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(Image.fromarray(light.astype(np.float32)).resize(size, Image.Resampling.BOX))
    found = _lighter(small)
    if found is None:
        return None
    hull = _hull(found)
    if hull is None:
        return None
    quad = _largest_quad(hull)
    if quad is None or found.sum() < _LEAST_FILLED * _area(quad):
        return None
    return np.asarray(_in_order(quad) * (width / size[0], height / size[1]))


def _lighter(small: np.ndarray) -> np.ndarray | None:
    """Return the largest light component of a picture, with holes filled. Shape: ``(h, w)`` to bool."""
    level = _otsu(small)
    light = small > level
    if not light.any() or light.all() or small[light].mean() - small[~light].mean() < _LEAST_LIGHTER:
        return None
    reach = max(2, round(max(small.shape) / 60))
    closed = ndimage.binary_closing(np.pad(light, reach), iterations=reach)[reach:-reach, reach:-reach]
    opened = ndimage.binary_opening(ndimage.binary_fill_holes(closed), iterations=2)
    parts, count = ndimage.label(opened)
    if not count:
        return None
    part = np.asarray(parts == 1 + np.argmax(ndimage.sum_labels(opened, parts, range(1, count + 1))))
    if not _LEAST_SHARE < part.mean() < _FULL:
        return None
    # In a picture with light areas everywhere there is no sheet.
    return part if light[part].mean() > _LEAST_LIGHT and light[~part].mean() < 1 - _LEAST_LIGHT else None


def _otsu(values: np.ndarray) -> float:
    """Return Otsu's threshold (1979), which maximizes the variance between two groups of values."""
    counts, edges = np.histogram(values, 256)
    middles = (edges[1:] + edges[:-1]) / 2
    below, above = np.cumsum(counts)[:-1], counts.sum() - np.cumsum(counts)[:-1]
    sums = np.cumsum(counts * middles)
    means = sums[:-1] / np.maximum(1, below) - (sums[-1] - sums[:-1]) / np.maximum(1, above)
    return float(edges[1 + np.argmax(below * above * means**2)])


def _hull(part: np.ndarray) -> np.ndarray | None:
    """Return the corners of the convex hull, without insignificant ones. Shape: ``(h, w)`` to ``(N, 2)``."""
    rows = np.flatnonzero(part.any(axis=1))
    first, last = part[rows].argmax(axis=1), part.shape[1] - part[rows][:, ::-1].argmax(axis=1)
    points = np.concatenate([np.stack((x, y), 1) for x in (first, last) for y in (rows, rows + 1)])
    try:
        corners = points[ConvexHull(points).vertices].astype(float)
    except QhullError:
        return None
    while len(corners) > 24:  # remove the corner whose removal changes the area least
        lost = [_area(corners[[i - 1, i, (i + 1) % len(corners)]]) for i in range(len(corners))]
        corners = np.delete(corners, int(np.argmin(lost)), axis=0)
    return corners if len(corners) >= 4 else None


def _largest_quad(hull: np.ndarray) -> np.ndarray | None:
    quads = [hull[list(each)] for each in combinations(range(len(hull)), 4)]
    areas = [_area(quad) for quad in quads]
    quad = quads[int(np.argmax(areas))]
    sides = np.roll(quad, -1, axis=0) - quad
    length = np.hypot(*sides.T)
    if length.min() < 8:
        return None
    turns = np.degrees(
        np.arccos(np.clip((sides * np.roll(sides, -1, axis=0)).sum(1) / (length * np.roll(length, -1)), -1, 1))
    )
    return quad if np.all((turns > 50) & (turns < 130)) else None


def _area(points: np.ndarray) -> float:
    x, y = points.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _in_order(quad: np.ndarray) -> Corners:
    """Sort the corners clockwise from the upper left, the corner with the smallest x + y."""
    middle = quad.mean(axis=0)
    turned = quad[np.argsort(np.arctan2(*(quad - middle).T[::-1]))]
    return np.roll(turned, -int(np.argmin(turned.sum(axis=1))), axis=0)


def left_out(soft: np.ndarray, corners: Corners) -> float:
    """Return the fraction of the ink outside of a sheet, 0 to 1. Shape: ``(H, W)`` uint8."""
    ink = soft >= 128
    inside = Image.new("1", (soft.shape[1], soft.shape[0]))
    ImageDraw.Draw(inside).polygon([(float(x), float(y)) for x, y in corners], fill=1)
    return float((ink & ~np.asarray(inside)).sum() / max(1, ink.sum()))


def flattened(soft: np.ndarray, corners: Corners) -> np.ndarray:
    """Correct the perspective of a sheet. Shape: ``(H, W)`` uint8 to another size."""
    width, height = _size_of(corners, soft.shape)
    upright = [(0, 0), (width, 0), (width, height), (0, height)]
    rows, values = [], []
    for (x, y), (u, v) in zip(upright, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    way = np.linalg.solve(np.array(rows, dtype=float), np.array(values, dtype=float))
    image = Image.fromarray(soft)
    bent = image.transform((width, height), Image.Transform.PERSPECTIVE, way.tolist(), Image.Resampling.BICUBIC)
    return np.asarray(bent)


def _size_of(corners: Corners, seen: tuple[int, ...]) -> tuple[int, int]:
    """Return the output width and height of a sheet, with its real aspect ratio.

    The aspect ratio follows from the corners if the optical axis goes through the centre of the picture (Zhang and He,
    "Whiteboard Scanning and Image Enhancement", 2007). If the sheet is tilted in one direction only, the focal length
    cannot be estimated, and that of a phone is assumed; without tilt, the aspect ratio is that in the picture.

    seen: height and width of the picture.
    """
    sides = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    width, height = float(max(sides[0], sides[2])), float(max(sides[1], sides[3]))
    middle = (seen[1] / 2, seen[0] / 2)
    one, two, four, three = np.column_stack(((corners - middle) / max(seen), np.ones(4)))
    along = np.dot(np.cross(one, four), three) / np.dot(np.cross(two, four), three) * two - one
    down = np.dot(np.cross(one, four), two) / np.dot(np.cross(three, four), two) * three - one
    if max(abs(along[2]), abs(down[2])) > _TOLD:
        focal = _USUAL**2
        if min(abs(along[2]), abs(down[2])) > _TOLD:
            told = -(along[0] * down[0] + along[1] * down[1]) / (along[2] * down[2])
            focal = told if _NEAREST**2 < told < _FARTHEST**2 else focal
        across, tall = (math.sqrt((side[0] ** 2 + side[1] ** 2) / focal + side[2] ** 2) for side in (along, down))
        # The foreshortened side is enlarged; no part of the sheet is made smaller.
        width, height = max(width, height * across / tall), max(height, width * tall / across)
    return max(1, round(width)), max(1, round(height))


def cut_out(soft: np.ndarray, corners: Corners) -> np.ndarray:
    """Crop to the bounding box of a sheet and clear what is outside of it. Shape: ``(H, W)`` uint8 to a part of it."""
    height, width = soft.shape
    left, top = np.maximum(0, np.floor(corners.min(axis=0))).astype(int)
    right, bottom = np.minimum((width, height), np.ceil(corners.max(axis=0))).astype(int)
    part = soft[top:bottom, left:right].copy()
    y, x = np.ogrid[top:bottom, left:right]
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        part[(x1 - x0) * (y + 0.5 - y0) - (y1 - y0) * (x + 0.5 - x0) < 0] = 0
    return part


def lean_of(soft: np.ndarray) -> float:
    """Estimate the skew of the lines of a page in degrees, to be passed to `upright`; 0 if it cannot be estimated.

    Lines are level at the angle for which the row sums of ink differ most between neighbouring rows (Postl 1986).

    Shape: ``(H, W)`` uint8.
    """
    factor = max(1, round(max(soft.shape) / 1200))
    height, width = (side // factor * factor for side in soft.shape)
    if min(height, width) < 1:
        return 0.0
    blocks = soft[:height, :width].reshape(height // factor, factor, width // factor, factor).max(axis=(1, 3))
    y, x = np.nonzero(blocks >= 128)
    if y.size < _LEAST_INK:
        return 0.0
    if y.size > 60_000:
        kept = np.random.default_rng(0).choice(y.size, 60_000, replace=False)
        y, x = y[kept], x[kept]

    def level(degrees: float) -> float:
        rows = np.round(y - math.tan(math.radians(degrees)) * x).astype(np.int64)
        counts = np.bincount(rows - rows.min()).astype(float)
        return float((np.diff(counts, prepend=0, append=0) ** 2).sum())

    coarse = {degrees: level(degrees) for degrees in np.arange(-_MOST_LEAN, _MOST_LEAN + 0.1, 0.5).tolist()}
    best = max(coarse, key=lambda degrees: coarse[degrees])
    best = max(np.arange(best - 0.5, best + 0.51, 0.05).tolist(), key=level)
    # Without a clear maximum there are no lines of text: drawings, photographs, a few words.
    stands_out = level(best) > _STANDS_OUT * float(np.median(list(coarse.values())))
    return round(best, 2) if abs(best) < _MOST_LEAN and stands_out else 0.0


def upright(soft: np.ndarray, lean: float) -> np.ndarray:
    """Rotate the page so that its lines are level. Shape: ``(H, W)`` uint8 to a larger size."""
    return np.asarray(Image.fromarray(soft).rotate(lean, Image.Resampling.BICUBIC, expand=True))
