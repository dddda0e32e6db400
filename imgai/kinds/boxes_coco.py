"""The ``coco`` kind of boxes: COCO's JSON of objects (https://cocodataset.org/#format-data), without outlines."""

from __future__ import annotations

from typing import Any

from imgai.kinds.coco import merge
from imgai.kinds.objects import rows
from imgai.outputs.boxes import Boxes
from imgai.plugin import Page

__all__ = ["merge", "render"]


def render(page: Page) -> dict[str, Any]:
    """Return the size of one page and its objects; `merge` assigns ids."""
    boxes: Boxes = page.output
    annotations = [
        {
            "category": row.label,
            "bbox": [round(each, 2) for each in (row.x0, row.y0, row.x1 - row.x0, row.y1 - row.y0)],
            "area": round((row.x1 - row.x0) * (row.y1 - row.y0), 2),
            "score": round(row.score, 4),
            "iscrowd": 0,
        }
        for row in rows(page)
    ]
    size = {"width": page.sample.width, "height": page.sample.height}
    return {**size, "labels": list(boxes.labels), "annotations": annotations}
