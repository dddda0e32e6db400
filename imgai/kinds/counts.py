"""The ``csv`` kind: the number of objects of each class in each picture, in one table per run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from imgai.kinds.cells import write_csv
from imgai.kinds.numbered import numbered
from imgai.kinds.objects import rows
from imgai.kinds.pixel_size import pixel_size
from imgai.outputs.boxes import Boxes
from imgai.outputs.counting import areas_of
from imgai.plugin import Page

COLUMNS = ("path", "page", "class", "count", "covered", "mean_area", "mean_area_um2", "nothing_found")


def render(page: Page) -> dict[str, Any]:
    """Count the objects of each class of a mask, and the pixels that they cover."""
    counts = []
    for label, numbers, _ in numbered(page):
        areas = areas_of(numbers)[1:]
        found = areas[areas > 0]
        counts.append([label, int(found.size), int(found.sum()), float(found.sum())])
    return _fragment(page, counts)


def render_boxes(page: Page) -> dict[str, Any]:
    """Count the boxes of each class, the pixels covered by at least one, and the sum of their areas."""
    boxes: Boxes = page.output
    height, width = page.sample.height, page.sample.width
    by_class: dict[str, list[tuple[float, float, float, float]]] = {}
    for row in sorted(rows(page), key=lambda each: each.number):
        by_class.setdefault(row.label, []).append((row.x0, row.y0, row.x1, row.y1))
    counts = []
    for label, places in by_class.items():
        covered = np.zeros((height, width), dtype=bool)
        for x0, y0, x1, y1 in places:
            covered[round(y0) : max(round(y0) + 1, round(y1)), round(x0) : max(round(x0) + 1, round(x1))] = True
        area = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in places)
        counts.append([label, len(places), int(covered.sum()), area])
    # Detectors have dozens of classes; those without objects are left out.
    return _fragment(page, counts or [[boxes.labels[0] if len(boxes.labels) == 1 else "", 0, 0, 0.0]])


def _fragment(page: Page, counts: list[list[Any]]) -> dict[str, Any]:
    sample = page.sample
    size = pixel_size(sample, page.params.pixel_size)
    return {"size": sample.width * sample.height, "um2": None if size is None else size[0] * size[1], "counts": counts}


def merge(fragments: Iterable[tuple[str, dict[str, Any]]], file: BinaryIO, params: Any) -> None:
    """Write one table for all pages, with a row for each page and class."""
    write_csv((row for name, each in fragments for row in _rows(name, each)), file, COLUMNS, mark=params.excel)


def _rows(name: str, fragment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    nothing = not any(count for _, count, _, _ in fragment["counts"])
    for label, count, covered, area in fragment["counts"]:
        row = about(name, fragment) | {"class": label, "count": count, "nothing_found": nothing}
        row["covered"] = round(covered / max(1, fragment["size"]), 6)
        if count:
            row["mean_area"] = round(area / count, 2)
            if fragment["um2"] is not None:
                row["mean_area_um2"] = rounded(area / count * fragment["um2"])
        yield row


def about(name: str, fragment: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that identify the page of a row. name: as passed to `merge`, with the page number."""
    page = fragment["page"] + 1
    return {"path": name.removesuffix(f"#{page}") if fragment["pages"] > 1 else name, "page": page}


def rounded(value: float) -> float:
    """Round a measure to six significant digits."""
    return float(f"{value:.6g}")
