"""The ``crops`` kind: the part of the picture in each box, a file for each object."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from imgai.images import encode_png, to_pixels
from imgai.kinds.objects import rows
from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield a PNG with the depth of the picture for each object, numbered within its class, highest score first."""
    sample, margin = page.sample, page.params.crops_margin
    pixels, metadata = to_pixels(sample), sample.metadata
    count: Counter[str] = Counter()
    for row in rows(page):
        count[row.label] += 1
        across, down = margin * (row.x1 - row.x0), margin * (row.y1 - row.y0)
        # All pixels that the box touches, but at least one.
        left, top = max(0, math.floor(row.x0 - across)), max(0, math.floor(row.y0 - down))
        right = max(left + 1, min(sample.width, math.ceil(row.x1 + across)))
        bottom = max(top + 1, min(sample.height, math.ceil(row.y1 + down)))
        content = encode_png(pixels[top:bottom, left:right].copy(), icc=metadata.icc, dpi=metadata.dpi)
        about = {"label": row.label, "score": round(row.score, 4), "box": [left, top, right, bottom]}
        yield Rendered(content, ".png", f"{row.label}-{count[row.label]}", record=about)
