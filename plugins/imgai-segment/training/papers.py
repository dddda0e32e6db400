"""Bare paper, its age, the light on it and the desk below: textures that are drawn from noise.

Every function works on float32 arrays ``(H, W)`` or ``(H, W, 3)``, about [0, 1]; `held_out` picks textures that
training never sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array = NDArray[Any]
"""Float32, but for photographs, which are uint8."""
Rng = np.random.Generator


def enlarge(grid: Array, height: int, width: int) -> Array:
    """A small grid, smoothly enlarged: ``(h, w)`` -> ``(height, width)``."""
    big = F.interpolate(torch.from_numpy(grid)[None, None], (height, width), mode="bicubic", align_corners=True)
    result: Array = big[0, 0].numpy()
    return result


def clouds(rng: Rng, height: int, width: int, cell: float, octaves: int = 3) -> Array:
    """Value noise with octaves, standard deviation about 1; `cell` is its largest feature in pixels."""
    total, weight = np.zeros((height, width), np.float32), 1.0
    for _ in range(octaves):
        shape = (max(2, round(height / cell) + 2), max(2, round(width / cell) + 2))
        total += weight * enlarge(rng.standard_normal(shape, dtype=np.float32), height, width)
        cell, weight = max(2.0, cell / 2.2), weight * 0.6
    return total / (total.std() + 1e-6)


def fibres(rng: Rng, height: int, width: int) -> Array:
    """Short streaks along two directions: white noise, blurred far one way and little the other."""
    noise = rng.standard_normal((height, width), dtype=np.float32)
    long = rng.uniform(2, 9)
    result = gaussian_filter(noise, (0.6, long)) * long**0.5 + gaussian_filter(noise[::-1], (long, 0.6)) * long**0.5
    return result / (result.std() + 1e-6)


def power_law(rng: Rng, height: int, width: int) -> Array:
    """Noise with an anisotropic power-law spectrum (held out)."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    spectrum = np.hypot(fy, fx * rng.uniform(0.6, 1.6)) + 1 / 256
    phase = np.fft.rfft2(rng.standard_normal((height, width), dtype=np.float32))
    result = np.fft.irfft2(phase * spectrum ** -rng.uniform(0.5, 1.3), (height, width)).astype(np.float32)
    return (result - result.mean()) / (result.std() + 1e-6)


def laid(rng: Rng, height: int, width: int) -> Array:
    """Laid paper: fine parallel lines with chains across (held out)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.normal(0, 0.1)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    lines = np.sin(v * 2 * np.pi / rng.uniform(4, 8)) + 1.5 * np.cos(u * 2 * np.pi / rng.uniform(60, 130)) ** 40
    result = lines + clouds(rng, height, width, 12, 2)
    return ((result - result.mean()) / (result.std() + 1e-6)).astype(np.float32)


def paper(rng: Rng, height: int, width: int, *, held_out: bool) -> Array:
    """Bare paper: ``(H, W, 3)``; white, cream, grey, coloured or old."""
    kind = rng.random()
    if kind < 0.45:
        base = np.full(3, rng.uniform(0.85, 1.0)) * rng.uniform(0.97, 1.0, 3)
    elif kind < 0.8:  # yellowed
        base = np.array([1.0, rng.uniform(0.85, 0.97), rng.uniform(0.6, 0.9)]) * rng.uniform(0.7, 0.97)
    else:  # coloured or grey stock
        base = rng.uniform(0.45, 1.0, 3) * 0.6 + rng.uniform(0.2, 0.4)
    strong = rng.random() < 0.3
    grain = np.zeros((height, width), np.float32)
    if held_out:
        some = [power_law(rng, height, width), laid(rng, height, width)]
    else:
        noise = rng.standard_normal((height, width), dtype=np.float32)
        some = [
            fibres(rng, height, width),
            gaussian_filter(noise, 0.7) * 2,
            clouds(rng, height, width, rng.uniform(4, 30), 3),
        ]
    for texture in some:
        if rng.random() < 0.6:
            grain += texture * rng.uniform(0, 0.03 if strong else 0.01)
    cell = rng.uniform(60, 400)
    age = clouds(rng, height, width, cell, 4)[..., None] * rng.uniform(0, 0.07 if strong else 0.02)
    tint = np.array([0.6, 1.0, 1.5]) if rng.random() < 0.6 else np.ones(3)
    page = base * (1 + grain[..., None] + age * tint)
    if rng.random() < 0.2:  # specks: foxing, flecks, dust
        for _ in range(int(rng.integers(2, 40))):
            page = speck(rng, page)
    return np.clip(page, 0.05, 1.1).astype(np.float32)


def speck(rng: Rng, page: Array) -> Array:
    """A soft brown spot."""
    height, width = page.shape[:2]
    r = float(np.exp(rng.uniform(np.log(0.8), np.log(8))))
    y, x, m = int(rng.integers(height)), int(rng.integers(width)), int(3 * r + 2)
    area = np.s_[max(0, y - m) : y + m, max(0, x - m) : x + m]
    gy, gx = np.mgrid[area[0].start : min(height, area[0].stop), area[1].start : min(width, area[1].stop)]
    dark = np.exp(-((gy - y) ** 2 + (gx - x) ** 2) / (2 * r * r)) * rng.uniform(0.1, 0.5)
    page[area] *= 1 - dark[..., None] * np.array([0.6, 0.8, 1.0])
    return page


def stain(rng: Rng, page: Array) -> Array:
    """Multiply by a coffee ring or the tide mark of water."""
    height, width = page.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wobble = clouds(rng, height, width, rng.uniform(40, 150), 3)
    if rng.random() < 0.5:  # a ring
        radius = rng.uniform(40, 220)
        d = (
            np.hypot(y - rng.uniform(-0.2, 1.2) * height, x - rng.uniform(-0.2, 1.2) * width)
            - radius
            + wobble * rng.uniform(0, 6)
        )
        inside, edge = 1 / (1 + np.exp(np.clip(d / 3, -30, 30))), np.exp(-((d / rng.uniform(2, 9)) ** 2))
    else:  # a blob with a dark rim
        d = (wobble - rng.uniform(0.3, 1.2)) * -rng.uniform(15, 50)
        inside, edge = (
            1 / (1 + np.exp(np.clip(d / rng.uniform(0.5, 6), -30, 30))),
            np.exp(-((d / rng.uniform(1.5, 6)) ** 2)),
        )
    dark = inside * rng.uniform(0, 0.25) + edge * rng.uniform(0, 0.4) * np.clip(1 + 0.4 * wobble, 0, 2)
    colour = np.array([0.35, 0.65, 1.0]) if rng.random() < 0.8 else rng.uniform(0.3, 1, 3)
    return page * np.clip(1 - dark[..., None] * colour, 0.25, 1).astype(np.float32)


def light(rng: Rng, height: int, width: int) -> Array:
    """Illumination ``(H, W)``: gradients, vignette, soft and hard shadows, folds and creases."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    size = max(height, width)
    u, v = (x - width / 2) / size, (y - height / 2) / size
    angle = rng.uniform(0, 2 * np.pi)
    field = 1 + rng.uniform(0, 0.7) * (u * np.cos(angle) + v * np.sin(angle)) * (rng.random() < 0.7)
    if rng.random() < 0.3:
        field = field * (1 - rng.uniform(0, 0.9) * (u**2 + v**2))
    if rng.random() < 0.3:
        field = field * np.exp(clouds(rng, height, width, rng.uniform(100, 400), 2) * rng.uniform(0.02, 0.15))
    for _ in range(int(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15]))):  # shadows of a hand, a phone, a window frame
        angle, soft = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(np.log(1.0), np.log(90)))
        bend = clouds(rng, height, width, rng.uniform(60, 300), 2) * rng.uniform(0, 30)
        d = (u * np.cos(angle) + v * np.sin(angle)) * size + rng.uniform(-0.4, 0.4) * size + bend
        if rng.random() < 0.4:
            d = np.hypot(u - rng.uniform(-0.5, 0.5), v - rng.uniform(-0.5, 0.5)) * size - rng.uniform(40, 250) + bend
        field = field * (1 - rng.uniform(0.15, 0.8) / (1 + np.exp(np.clip(d / soft, -30, 30))))
    for _ in range(int(rng.choice([0, 1, 2, 6], p=[0.6, 0.2, 0.12, 0.08]))):  # folds; six make crumpled paper
        angle = rng.uniform(0, np.pi)
        d = (
            (u * np.cos(angle) + v * np.sin(angle)) * size
            + rng.uniform(-0.5, 0.5) * size
            + clouds(rng, height, width, 150, 2) * rng.uniform(0, 4)
        )
        wide = np.exp(rng.uniform(np.log(2), np.log(60)))
        field = field * (1 + rng.uniform(-0.3, 0.3) * (d / wide) * np.exp(-0.5 * (d / wide) ** 2))
        field = field * (1 + rng.uniform(-0.08, 0.08) * np.tanh(d / 2))
        if rng.random() < 0.5:  # the crack itself
            field = field * (1 - rng.uniform(-0.15, 0.45) * np.exp(-0.5 * (d / rng.uniform(0.5, 1.6)) ** 2))
    return np.clip(field, 0.06, 1.6).astype(np.float32)


def desk(rng: Rng, height: int, width: int, photos: Sequence[Array], *, held_out: bool) -> Array:
    """What lies around the page: a piece of a photograph, or drawn wood, cloth or a plain table."""
    if photos and rng.random() < 0.6:
        photo = photos[int(rng.integers(len(photos)))]
        big = F.interpolate(
            torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255, (height, width), mode="bilinear"
        )
        return big[0].permute(1, 2, 0).numpy() * np.float32(rng.uniform(0.4, 1.1))
    colour = rng.uniform(0.03, 0.9) * rng.uniform(0.4, 1.0, 3)
    if rng.random() < 0.4:
        colour = np.array([0.5, 0.32, 0.18]) * rng.uniform(0.3, 1.6)
    grain = power_law(rng, height, width) if held_out else gaussian_filter(fibres(rng, height, width), (0.5, 6)) * 3
    return np.clip(
        colour * (1 + 0.12 * rng.random() * (grain + clouds(rng, height, width, 60, 3)))[..., None], 0, 1
    ).astype(np.float32)
