"""The ``overlay`` kind of boxes: the picture with a frame, the label and the score of each object."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imgai.images import to_pixels
from imgai.kinds.objects import rows
from imgai.kinds.paint import COLORS, encoded, on_paper
from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield a JPEG, or a PNG if the output file is named so. Each class has a colour."""
    image = Image.fromarray(np.ascontiguousarray(on_paper(to_pixels(page.sample), page.range)))
    draw = ImageDraw.Draw(image)
    shorter = min(image.size)
    line, font = max(1, round(shorter / 250)), ImageFont.load_default(size=max(10, shorter / 40))
    for row in reversed(list(rows(page))):  # the best are drawn last, on top
        color = tuple(int(each) for each in COLORS[row.number % len(COLORS)])
        draw.rectangle((row.x0, row.y0, max(row.x0, row.x1 - 1), max(row.y0, row.y1 - 1)), outline=color, width=line)
        words = f"{row.label} {row.score:.2f}"
        left, top, right, bottom = draw.textbbox((0, 0), words, font=font)
        x = max(0, min(row.x0, image.width - (right - left)))
        y = max(0, row.y0 - (bottom - top) - 2 * line)
        draw.rectangle((x, y, x + right - left + 2 * line, y + bottom - top + 2 * line), fill=color)
        draw.text((x + line - left, y + line - top), words, fill=(0, 0, 0), font=font)
    suffix = page.suffix or ".jpg"
    yield Rendered(encoded(np.asarray(image), page.sample, suffix), suffix)
