"""Draws pictures of the back of an eye with its vessels, and the mask of those: nobody's eye, nobody's data.

A disc with uneven light, a bright spot from which arteries and veins branch out as random walks that grow thinner, and
things that are no vessels: bright patches, dark specks, grain. Thin vessels have little contrast, as in photographs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

_OVER = 2  # how much finer lines are drawn before they are shrunk


def draw(seed: int, height: int = 584, width: int = 565) -> tuple[np.ndarray, np.ndarray]:
    """A picture ``(H, W, 3)`` uint8 and its mask ``(H, W)`` bool."""
    rng = np.random.default_rng(seed)
    side = min(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    center = np.array([height / 2, width / 2])
    radius = np.hypot(y - center[0], x - center[1])
    disc = radius < 0.47 * side
    spot = center + rng.uniform(-0.05, 0.05, 2) * side + np.array([0, rng.choice((-1, 1)) * 0.3 * side])
    lines: list[tuple[np.ndarray, float]] = []
    for angle in np.linspace(0, 2 * np.pi, int(rng.integers(4, 7)), endpoint=False) + rng.uniform(0, 1):
        _branch(lines, rng, spot, angle, rng.uniform(0.011, 0.016) * side, side, 0)
    depth = _paint(lines, height, width)
    inside = (depth > 0.5) & disc
    light = 0.75 + 0.35 * _field(rng, height, width) - 0.35 * (radius / (0.47 * side)) ** 2
    base = np.array([0.72, 0.38, 0.2]) * rng.uniform(0.85, 1.15, 3)
    image = light[..., None] * base
    bright = np.exp(-((y - spot[0]) ** 2 + (x - spot[1]) ** 2) / (2 * (0.06 * side) ** 2))
    image += bright[..., None] * np.array([0.25, 0.3, 0.2])
    for _ in range(int(rng.integers(0, 7))):
        at, size = center + rng.uniform(-0.35, 0.35, 2) * side, rng.uniform(0.006, 0.03) * side
        patch = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * size**2))
        image += patch[..., None] * np.array([0.2, 0.2, 0.08]) * rng.choice((-0.5, 1.0))
    soft = ndimage.gaussian_filter(depth, 0.8)
    fine = ndimage.gaussian_filter(depth, 3.0)
    image *= 1 - (soft * (0.12 + 0.5 * fine))[..., None] * np.array([0.55, 1.0, 0.8])
    image *= disc[..., None]
    image += rng.normal(0, 0.022, image.shape) * (0.4 + disc[..., None])
    return (image.clip(0, 1) * 255 + 0.5).astype(np.uint8), inside


def _branch(
    lines: list[tuple[np.ndarray, float]],
    rng: np.random.Generator,
    start: np.ndarray,
    angle: float,
    width: float,
    side: int,
    order: int,
) -> None:
    point, turn, length = start.astype(float), 0.0, int(rng.integers(12, 26))
    points = [point]
    for _ in range(length):
        turn = 0.7 * turn + rng.normal(0, 0.09)
        angle += turn
        point = point + 0.012 * side * np.array([np.sin(angle), np.cos(angle)])
        points.append(point)
        if width > 2 and rng.random() < 0.08 and order < 5:
            _branch(
                lines, rng, point, angle + rng.choice((-1, 1)) * rng.uniform(0.5, 1.1), 0.55 * width, side, order + 1
            )
    lines.append((np.array(points), width))
    if width > 1.3 and order < 4:
        for sign, share in ((-1, rng.uniform(0.6, 0.9)), (1, rng.uniform(0.3, 0.75))):
            _branch(lines, rng, point, angle + sign * rng.uniform(0.15, 0.5), share * width, side, order + 1)


def _paint(lines: list[tuple[np.ndarray, float]], height: int, width: int) -> np.ndarray:
    """How far each pixel lies in a vessel, 0 to 1. Shape: ``(H, W)`` float32"""
    canvas = Image.new("L", (width * _OVER, height * _OVER))
    pen = ImageDraw.Draw(canvas)
    for points, thickness in lines:
        flat = [(float(px * _OVER), float(py * _OVER)) for py, px in points]
        pen.line(flat, fill=255, width=max(2, round(thickness * _OVER)), joint="curve")
    return np.asarray(canvas.resize((width, height), Image.Resampling.BOX), np.float32) / 255


def _field(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    coarse = rng.uniform(0, 1, (4, 4)).astype(np.float32)
    return np.asarray(ndimage.zoom(coarse, (height / 4, width / 4), order=1))[:height, :width]


def write(folder: Path, count: int, *, seed: int = 0, height: int = 584, width: int = 565) -> None:
    """Write ``images/NN.png`` and ``masks/NN.png``."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, mask = draw(1000 * seed + number, height, width)
        Image.fromarray(image).save(folder / "images" / f"{number:02}.png")
        Image.fromarray((mask * 255).astype(np.uint8)).save(folder / "masks" / f"{number:02}.png")
