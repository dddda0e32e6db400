"""Holes to learn from: scratches, strokes, dust, spots, text and small rectangles, drawn.

Every function works on a Pillow image of one byte a pixel, 255 in holes.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Rng = np.random.Generator


def scratch(rng: Rng, draw: ImageDraw.ImageDraw, side: int) -> None:
    """A long thin line that hardly bends, as on film; now and then with gaps."""
    x, y = rng.uniform(0, side, 2)
    angle, bend = rng.uniform(0, 2 * math.pi), rng.normal(0, 0.02)
    width, gaps = int(rng.integers(1, 5)), rng.random() < 0.3
    for _ in range(int(rng.integers(6, 40))):
        ahead = x + 14 * math.cos(angle), y + 14 * math.sin(angle)
        if not (gaps and rng.random() < 0.3):
            draw.line((x, y, *ahead), fill=255, width=width)
        (x, y), angle = ahead, angle + bend + rng.normal(0, 0.03)


def stroke(rng: Rng, draw: ImageDraw.ImageDraw, side: int) -> None:
    """A line of a pen or brush, 2 to 14 pixels wide, that turns."""
    x, y = rng.uniform(0, side, 2)
    angle, width = rng.uniform(0, 2 * math.pi), int(rng.integers(2, 15))
    for _ in range(int(rng.integers(2, 9))):
        length = rng.uniform(8, 50)
        ahead = x + length * math.cos(angle), y + length * math.sin(angle)
        draw.line((x, y, *ahead), fill=255, width=width)
        half = width / 2
        draw.ellipse((ahead[0] - half, ahead[1] - half, ahead[0] + half, ahead[1] + half), fill=255)
        (x, y), angle = ahead, angle + rng.normal(0, 0.9)


def dust(rng: Rng, draw: ImageDraw.ImageDraw, side: int) -> None:
    """Specks, some of them drawn out into hairs."""
    for _ in range(int(rng.integers(5, 40))):
        x, y = rng.uniform(0, side, 2)
        radius = rng.exponential(1.5) + 0.5
        draw.ellipse((x - radius, y - radius * rng.uniform(0.5, 1), x + radius, y + radius), fill=255)


def spot(rng: Rng, draw: ImageDraw.ImageDraw, side: int) -> None:
    """A blot of any outline, 8 to 40 pixels across."""
    x, y = rng.uniform(0, side, 2)
    radius, corners = rng.uniform(4, 20), int(rng.integers(6, 14))
    turns = np.sort(rng.uniform(0, 2 * math.pi, corners))
    lengths = radius * rng.uniform(0.6, 1.1, corners)
    draw.polygon([(x + r * math.cos(t), y + r * math.sin(t)) for r, t in zip(lengths, turns, strict=True)], fill=255)


def rectangle(rng: Rng, draw: ImageDraw.ImageDraw, side: int) -> None:
    """A small upright rectangle."""
    x, y = rng.uniform(0, side, 2)
    draw.rectangle((x, y, x + rng.uniform(3, 24), y + rng.uniform(3, 24)), fill=255)


def text(rng: Rng, draw: ImageDraw.ImageDraw, side: int, fonts: Sequence[Path]) -> None:
    """Draw one or two lines of letters, 10 to 70 pixels high; without fonts in the one that Pillow brings."""
    size = int(math.exp(rng.uniform(math.log(10), math.log(70))))
    font = (
        ImageFont.truetype(str(fonts[int(rng.integers(len(fonts)))]), size) if fonts else ImageFont.load_default(size)
    )
    letters = string.ascii_letters * 4 + string.digits + ".,:!?&@" + " " * 40
    lines = ["".join(rng.choice(list(letters), int(rng.integers(3, 40)))) for _ in range(int(rng.integers(1, 3)))]
    at = (rng.uniform(-side / 4, side * 0.7), rng.uniform(-size / 2, side))
    draw.multiline_text(at, "\n".join(lines), fill=255, font=font, stroke_width=int(rng.random() < 0.3))


def draw_mask(rng: Rng, side: int, fonts: Sequence[Path] = (), *, least: float, most: float) -> NDArray[np.bool_]:
    """A mask of several kinds of holes over a part of the picture that is drawn between least and most.

    Shape: ``(side, side)``, True in holes
    """
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    kinds = (scratch, stroke, dust, spot, rectangle)
    shares = rng.dirichlet((0.6,) * (len(kinds) + 1))
    wanted = rng.uniform(least, most)
    while np.asarray(mask).mean() / 255 < wanted:
        kind = int(rng.choice(len(shares), p=shares))
        if kind == len(kinds):
            text(rng, draw, side, fonts)
        else:
            kinds[kind](rng, draw, side)
    if rng.random() < 0.3:  # as people grow a mask, to be sure of what it covers
        mask = mask.filter(ImageFilter.MaxFilter(3))
    holes: NDArray[np.bool_] = np.asarray(mask) > 127
    return holes
