"""The boxes of one page as rows, shared by all kinds of boxes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from imgai.outputs.boxes import Boxes
from imgai.outputs.counting import counting_of
from imgai.plugin import Page


class Row(NamedTuple):
    """One object: class name, class index from 0, score, and box in pixels of the image."""

    label: str
    number: int
    score: float
    x0: float
    y0: float
    x1: float
    y1: float


def rows(page: Page) -> Iterator[Row]:
    """Yield the objects of a page that the kind's options select, highest score first."""
    boxes: Boxes = page.output
    counted = boxes.counted(counting_of(page.params), page.sample.height, page.sample.width)
    for x0, y0, x1, y1, score, index in counted.values.tolist():
        yield Row(boxes.labels[int(index)], int(index), score, x0, y0, x1, y1)
