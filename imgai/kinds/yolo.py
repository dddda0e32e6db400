"""The ``yolo`` kind: a text file for each page with a line for each object, in the format of YOLO data sets."""

from __future__ import annotations

from collections.abc import Iterator

from imgai.kinds.objects import rows
from imgai.outputs.boxes import Boxes
from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield class, centre and size of each box as fractions of the image's sides, and ``classes.txt``."""
    boxes: Boxes = page.output
    width, height = page.sample.width, page.sample.height
    lines = []
    for row in rows(page):
        middle = (row.x0 + row.x1) / 2 / width, (row.y0 + row.y1) / 2 / height
        numbers = [*middle, (row.x1 - row.x0) / width, (row.y1 - row.y0) / height]
        if page.params.yolo_scores:
            numbers.append(row.score)
        lines.append(f"{row.number} " + " ".join(f"{number:.6f}" for number in numbers) + "\n")
    yield Rendered("".join(lines).encode("ascii"), ".txt")
    yield Rendered("".join(f"{label}\n" for label in boxes.labels).encode(), ".txt", name="classes.txt")
