"""Pictures that are sharp to the pixel: shapes, lines and letters over flat colours or over a photograph.

Photographs, even good ones, hold few edges as sharp as those of renderings and screenshots, which `clean` is for.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE, FINE = 512, 3
"""Of a picture, and how many times as large it is drawn before it is averaged down."""


def color(rng: np.random.Generator) -> tuple[int, int, int]:
    """Any; one in three is near black or white."""
    near = rng.random()
    low, high = (0, 40) if near < 0.2 else (215, 256) if near < 0.35 else (0, 256)
    red, green, blue = rng.integers(low, high, 3).tolist()
    return red, green, blue


def blob(rng: np.random.Generator, x: float, y: float, size: float) -> list[tuple[float, float]]:
    """A closed curve around a point, smooth or with corners."""
    corners = int(rng.integers(3, 12))
    smooth = rng.random() < 0.6
    turns = np.linspace(0, 2 * math.pi, 90 if smooth else corners, endpoint=False)
    waves = range(2, 2 + corners // 2)
    radius = 1 + sum(rng.normal(0, 0.5 / wave) * np.cos(wave * turns + rng.uniform(0, 6)) for wave in waves)
    radius = np.clip(radius if smooth else rng.uniform(0.3, 1.2, corners), 0.1, 2) * size
    squeeze = rng.uniform(0.3, 1)
    return [(x + r * math.cos(t), y + squeeze * r * math.sin(t)) for r, t in zip(radius, turns, strict=True)]


def draw(rng: np.random.Generator, ground: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """One picture, ``(SIDE, SIDE, 3)``. ground: a photograph of that size, or None for a flat colour."""
    whole = SIDE * FINE
    flat = Image.new("RGB", (whole, whole), color(rng))
    image = flat if ground is None else Image.fromarray(ground).resize((whole, whole), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(15, 90))):
        x, y = rng.uniform(0, whole, 2)
        size = math.exp(rng.uniform(math.log(6), math.log(130))) * FINE
        kind = rng.random()
        if kind < 0.4:
            pen.polygon(blob(rng, x, y, size), fill=color(rng))
        elif kind < 0.6:
            points = np.array((x, y)) + np.cumsum(rng.normal(0, size, (int(rng.integers(2, 7)), 2)), 0)
            pen.line([tuple(p) for p in points], fill=color(rng), width=int(FINE * rng.uniform(0.8, 7)), joint="curve")
        elif kind < 0.75:  # stripes
            width, turn = rng.uniform(1.2, 8) * FINE, rng.uniform(0, math.pi)
            along, across = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
            fill = color(rng)
            for number in range(int(rng.integers(3, 14))):
                start = np.array([x, y]) + across * number * width * 2
                pen.line([tuple(start), tuple(start + along * size * 2)], fill=fill, width=max(1, int(width)))
        else:
            letters = "".join(map(chr, rng.integers(33, 127, int(rng.integers(2, 14)))))
            pen.text((x, y), letters, fill=color(rng), font=ImageFont.load_default(FINE * rng.uniform(8, 40)))
    return np.asarray(image.reduce(FINE))


def drawings(count: int, photographs: NDArray[np.uint8], seed: int = 4) -> NDArray[np.uint8]:
    """So many pictures, half of them over photographs: ``(count, SIDE, SIDE, 3)``."""
    rng = np.random.default_rng(seed)
    grounds = [photographs[rng.integers(len(photographs))] if rng.random() < 0.5 else None for _ in range(count)]
    return np.stack([draw(rng, ground) for ground in grounds])
