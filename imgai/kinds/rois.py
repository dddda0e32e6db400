"""The ``rois`` kind: the outline of every object as a region of interest of ImageJ (ROI Manager, More, Open)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator

import numpy as np
from roifile import ImagejRoi
from scipy import ndimage

from imgai.kinds.coco import polygons, solid
from imgai.kinds.numbered import numbered
from imgai.plugin import Page, Rendered

_BEGUN = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip file; fixed, so that the same input gives the same bytes


def render(pages: Iterable[Page]) -> Iterator[Rendered]:
    """Yield one zip file for all pages; a region has the number of its object and the position of its page."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for page in pages:
            source = page.sample.source
            objects = numbered(page)
            for label, numbers, _ in objects:
                for number, place in enumerate(ndimage.find_objects(numbers), 1):
                    if place is None:
                        continue
                    name = f"{number:04d}" if len(objects) == 1 else f"{label}-{number:04d}"
                    name = f"p{source.page + 1:04d}-{name}" if source.pages > 1 else name
                    shape = numbers[place] == number
                    roi = _roi(shape, place[0].start, place[1].start, name, source.page if source.pages > 1 else None)
                    archive.writestr(zipfile.ZipInfo(f"{name}.roi", _BEGUN), roi, zipfile.ZIP_DEFLATED)
    yield Rendered(file.getvalue(), ".zip")


def _roi(shape: np.ndarray, top: int, left: int, name: str, page: int | None) -> bytes:
    """Encode the outer outline of an object. If it has several parts, the outline of the largest is used, because an
    ImageJ polygon has one outline. Shape: ``(h, w)`` bool, with its corner at top, left."""
    outlines = [np.array(each).reshape(-1, 2) for each in polygons(solid(shape), top, left)]
    outline = max(outlines, key=_area)
    roi = ImagejRoi.frompoints(outline, name=name)
    if page is not None:
        roi.position = page + 1
    content: bytes = roi.tobytes()
    return content


def _area(outline: np.ndarray) -> float:
    """Return twice the area enclosed by an outline. Shape: ``(N, 2)``."""
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))
