"""Turns a drawn page into a scan or a photograph of it: paper, age, bleed-through, light, camera, JPEG.

The mask goes through the same warp as the page and is cut at half coverage before anything is blurred. Every function
works on float32 arrays ``(H, W)`` or ``(H, W, 3)`` in [0, 1]; `held_out` picks paper textures that training never sees.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from papers import Array, Rng, clouds, desk, light, paper, stain
from PIL import Image
from scipy.ndimage import convolve1d, gaussian_filter


def warp(rng: Rng, layers: Array, height: int, width: int, *, whole: bool) -> tuple[Array, Array]:
    """Look at the sheet from a camera: rotation, scale, perspective, bent paper.

    layers: ``(H, W, C)``; returns ``(height, width, C)`` and ``(height, width)``, 1 on the sheet and 0 beside it.
    """
    tall, wide = layers.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    gx, gy = x - width / 2, y - height / 2
    if rng.random() < 0.35:  # bent paper
        amount = rng.uniform(0, 5)
        gx = gx + clouds(rng, height, width, rng.uniform(80, 300), 1) * amount
        gy = gy + clouds(rng, height, width, rng.uniform(80, 300), 1) * amount
    near = 1 + (gx * rng.normal(0, 0.12) + gy * rng.normal(0, 0.12)) / max(height, width) * (rng.random() < 0.5)
    gx, gy = gx / near, gy / near
    turn = rng.normal(0, 0.05) if rng.random() < 0.7 else rng.normal(0, 0.5)
    turn = turn * 0.3 if whole else turn
    zoom = float(np.exp(rng.uniform(np.log(0.55), np.log(1.05))))
    scale = float(max(tall / height, wide / width) * rng.uniform(0.85, 1.15)) if whole else zoom
    sx, sy = (gx * np.cos(turn) - gy * np.sin(turn)) * scale, (gx * np.sin(turn) + gy * np.cos(turn)) * scale
    free = 0.0 if whole else (0.5 if rng.random() < 0.3 else max(0.0, 0.5 - 0.5 * scale * height / tall))
    cx, cy = wide * (0.5 + rng.uniform(-free, free)), tall * (0.5 + rng.uniform(-free, free))
    grid = np.stack([(sx + cx) / wide * 2 - 1, (sy + cy) / tall * 2 - 1], -1).astype(np.float32)
    inside = np.clip((1 - np.abs(grid).max(-1)) * min(tall, wide) / 2 + 0.5, 0, 1)
    source = torch.from_numpy(layers).permute(2, 0, 1)[None]
    if scale > 1.3:
        source = F.interpolate(source, scale_factor=1.2 / scale, mode="bilinear", antialias=True)
    seen = F.grid_sample(source, torch.from_numpy(grid)[None], padding_mode="border", align_corners=False)
    return seen[0].permute(1, 2, 0).numpy(), inside.astype(np.float32)


def camera(rng: Rng, image: Array) -> NDArray[np.uint8]:
    """Exposure, white balance, blur, noise, sharpening, JPEG: ``(H, W, 3)`` to uint8."""
    if rng.random() < 0.15:
        image = np.repeat(image.mean(-1, keepdims=True), 3, -1)
    elif rng.random() < 0.7:
        image = image * rng.uniform(0.85, 1.1, 3).astype(np.float32)
    image = image * np.float32(rng.uniform(0.5, 1.02) / max(0.05, np.percentile(image[::8, ::8], 95)))
    image = np.clip(image, 0.003, None) ** np.float32(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.3:  # a poor black level
        image = image * np.float32(1 - (lift := rng.uniform(0, 0.25))) + np.float32(lift)
    if rng.random() < 0.75:
        sigma = rng.uniform(0.3, 0.9) if rng.random() < 0.8 else rng.uniform(0.9, 1.4)
        image = gaussian_filter(image, (sigma, sigma, 0))
    if rng.random() < 0.12:
        kernel = np.ones(int(rng.integers(2, 5)), np.float32)
        image = convolve1d(image, kernel / kernel.sum(), axis=int(rng.integers(2)))
    read, shot = rng.uniform(0, 0.02), rng.uniform(0, 0.03)
    if rng.random() < 0.15:
        read, shot = read * 2.5, shot * 2.5
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    if rng.random() < 0.4:
        noise = gaussian_filter(noise, (0.8, 0.8, 0)) * 1.8
    image = image + noise * np.sqrt(read**2 + shot**2 * np.clip(image, 0, 1)).astype(np.float32)
    if rng.random() < 0.3:
        image = image + np.float32(rng.uniform(0.3, 1.5)) * (image - gaussian_filter(image, (1.2, 1.2, 0)))
    photo = Image.fromarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))
    if rng.random() < 0.85:
        stored = io.BytesIO()
        photo.save(stored, "JPEG", quality=int(rng.integers(30, 96)), subsampling=int(rng.choice([0, 2])))
        photo = Image.open(stored).convert("RGB")
    return np.asarray(photo)


def photograph(
    rng: Rng,
    sheet: Array,
    back: Array,
    height: int,
    width: int,
    *,
    photos: Sequence[Array] = (),
    held_out: bool = False,
    whole: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture of a page and where its ink is.

    sheet: ``(H, W, 4)``: reflectance of the print and coverage of the ink.
    back: ``(H, W, 3)``: reflectance of the other side.
    whole: the entire page with its border, instead of a piece of it.

    Shape: ``(height, width, 3)`` uint8 and ``(height, width)`` bool
    """
    layers = np.concatenate([sheet, back[:, ::-1]], -1)
    seen, inside = warp(rng, layers, height, width, whole=whole)
    printed, mask, behind = seen[..., :3], seen[..., 3] >= 0.5, seen[..., 4:]
    page = paper(rng, height, width, held_out=held_out)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.6, 0.3, 0.1]))):
        page = stain(rng, page)
    strength = rng.uniform(0.6, 1.1) if rng.random() < 0.8 else rng.uniform(0.35, 0.6)
    if rng.random() < 0.3:  # bleed-through or show-through, fainter than the ink itself
        soft = rng.uniform(0.5, 3)
        through = -np.log(np.clip(gaussian_filter(behind, (soft, soft, 0)), 0.02, 1))
        dark = 1 - np.clip(printed[mask], 0.02, 1).mean() ** strength if mask.any() else 0.6
        density = -np.log(1 - dark * rng.uniform(0.05, 0.4))
        full = max(0.1, float(np.quantile(through.mean(-1)[::4, ::4], 0.99)))
        page = page * np.exp(-through * np.float32(min(density / full, 1.0)))
    fade = np.full((height, width), strength, np.float32)
    if rng.random() < 0.35:
        fade = fade * np.clip(1 + clouds(rng, height, width, rng.uniform(20, 200), 3) * rng.uniform(0, 0.25), 0.4, 1.6)
    if rng.random() < 0.2:  # pencil, dry ink
        fade = fade * np.clip(1 + rng.standard_normal((height, width), dtype=np.float32) * rng.uniform(0, 0.35), 0.3, 2)
    page = page * np.clip(printed, 0.02, 1) ** fade[..., None]
    lit = light(rng, height, width)
    if inside.min() < 1:
        around = desk(rng, height, width, photos, held_out=held_out)
        shade = 1 - rng.uniform(0, 0.6) * gaussian_filter(inside, rng.uniform(2, 15))[..., None]
        page = page * inside[..., None] + around * shade * (1 - inside[..., None])
    if rng.random() < 0.02:  # a punched hole
        y, x = np.mgrid[:height, :width]
        hole = np.hypot(y - rng.integers(height), x - rng.integers(width)) < rng.uniform(6, 28)
        page = np.where(hole[..., None], np.float32(rng.uniform(0, 0.3)), page)
        mask = mask & ~hole
    return camera(rng, page * lit[..., None]), mask & (inside > 0.5)
