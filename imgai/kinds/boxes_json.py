"""The ``json`` kind of boxes: a file for each page."""

from __future__ import annotations

import json
from collections.abc import Iterator

from imgai.kinds.objects import rows
from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield a file with the size of the image and the objects: label, score and box (x0, y0, x1, y1 in pixels)."""
    objects = [
        {"label": row.label, "score": round(row.score, 4), "box": [round(each, 2) for each in row[3:]]}
        for row in rows(page)
    ]
    value = {"width": page.sample.width, "height": page.sample.height, "objects": objects}
    yield Rendered((json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode(), ".json")
