"""The ``objects`` kind: the measures of every object of every picture, in one table per run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from imgai.images import to_pixels
from imgai.kinds.cells import write_csv
from imgai.kinds.counts import about, rounded
from imgai.kinds.measures import measured
from imgai.kinds.numbered import numbered
from imgai.kinds.objects import rows
from imgai.kinds.pixel_size import pixel_size
from imgai.plugin import Page

_FOUND = ("id", "class", "x", "y", "x0", "y0", "x1", "y1", "area", "perimeter", "eccentricity", "solidity")
_CHANNELS = ("mean_red", "mean_green", "mean_blue")
_IN_UM = ("x_um", "y_um", "area_um2", "perimeter_um", "pixel_width_um", "pixel_height_um")
COLUMNS = ("path", "page", *_FOUND, "mean_intensity", *_CHANNELS, "score", *_IN_UM)
_KEPT = (*_FOUND[:1], *_FOUND[2:], "score", "mean_intensity", *_CHANNELS)
"""The values kept for each object until the end of the run, in this order; grey pictures lack the last three."""


def render(page: Page) -> dict[str, Any]:
    """Measure the objects of a mask."""
    pixels = _channels(page)
    classes = []
    for label, numbers, soft in numbered(page):
        measures = measured(numbers, soft, pixels)
        columns = (
            measures.numbers, measures.x, measures.y, *measures.box.T, measures.area, measures.perimeter,
            measures.eccentricity, measures.solidity, measures.score, *_intensities(measures.intensity),
        )  # fmt: skip
        classes.append([label, [list(row) for row in zip(*(_plain(each) for each in columns), strict=True)]])
    return _fragment(page, classes)


def render_boxes(page: Page) -> dict[str, Any]:
    """Measure boxes: centroid, area, perimeter, and the mean of the picture inside."""
    pixels = _channels(page)
    classes = []
    for number, row in enumerate(rows(page), 1):
        width, height = row.x1 - row.x0, row.y1 - row.y0
        top, left = min(int(row.y0), pixels.shape[0] - 1), min(int(row.x0), pixels.shape[1] - 1)
        part = pixels[top : max(top + 1, round(row.y1)), left : max(left + 1, round(row.x1))]
        # Channel by channel, in whole numbers: several times as fast as all at once.
        sums = [part[..., channel].sum(dtype=np.int64) for channel in range(part.shape[2])]
        mean = np.array([sums]) / (part.shape[0] * part.shape[1])
        # 0 is the centre of the first pixel, as in the measures of masks.
        place = ((row.x0 + row.x1) / 2 - 0.5, (row.y0 + row.y1) / 2 - 0.5, row.x0, row.y0, row.x1, row.y1)
        values = (*place, width * height, 2 * (width + height))
        intensity = [float(each[0]) for each in _intensities(mean)]
        told = [number, *map(rounded, values), None, None, *map(rounded, (row.score, *intensity))]
        classes.append([row.label, [told]])
    return _fragment(page, classes)


def _channels(page: Page) -> np.ndarray:
    """Return the picture without alpha, in the depth of its file. Shape: ``(H, W, 1)`` or ``(H, W, 3)``."""
    pixels = to_pixels(page.sample)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return pixels[..., :-1] if page.sample.alpha is not None else pixels


def _intensities(values: np.ndarray) -> list[np.ndarray]:
    """Return the mean over all channels, and for colour also each channel. Shape: ``(N, C)``."""
    return [values.mean(axis=1), *(values.T if values.shape[1] > 1 else ())]


def _plain(values: np.ndarray) -> list[Any]:
    """Convert to JSON numbers with six significant digits."""
    listed: list[Any] = values.tolist()
    return listed if values.dtype.kind in "iu" else [rounded(each) for each in listed]


def _fragment(page: Page, classes: list[Any]) -> dict[str, Any]:
    return {"pixel": pixel_size(page.sample, page.params.pixel_size), "classes": classes}


def merge(fragments: Iterable[tuple[str, dict[str, Any]]], file: BinaryIO, params: Any) -> None:
    """Write one table for all pages, with a row for each object."""
    write_csv((row for name, each in fragments for row in _rows(name, each)), file, COLUMNS, mark=params.excel)


def _rows(name: str, fragment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    page = about(name, fragment)
    for label, objects in fragment["classes"]:
        for values in objects:
            row = page | {"class": label} | dict(zip(_KEPT, values, strict=False))
            yield row | (_in_um(row, *fragment["pixel"]) if fragment["pixel"] else {})


def _in_um(row: dict[str, Any], width: float, height: float) -> dict[str, float]:
    """Convert measures to micrometres. The perimeter is left out unless pixels are square."""
    sizes = {
        "x_um": row["x"] * width,
        "y_um": row["y"] * height,
        "area_um2": row["area"] * width * height,
        "pixel_width_um": width,
        "pixel_height_um": height,
    }
    if abs(width / height - 1) < 1e-3:
        sizes["perimeter_um"] = row["perimeter"] * width
    return {column: rounded(value) for column, value in sizes.items()}
