"""Crops to train on and pages to validate on, drawn by `layouts` and photographed by `scans`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from layouts import draw_page
from numpy.typing import NDArray
from pages import HELD_OUT, Face
from scans import photograph
from torch import Tensor

CROP, POOL, SHEETS, SHEET = 256, 2048, 160, 640
"""Side of a crop, crops in the pool, pages from which they are cut at any time, side of such a page."""
TALL, WIDE = 1024, 800
"""Of a page that is photographed whole, its border and the desk around it."""
Pages = list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]
"""Pictures ``(H, W, 3)`` and where their ink is ``(H, W)``."""


def split(faces: Sequence[Face]) -> tuple[list[Face], list[Face]]:
    """Faces for training and, of the families that are held out, for validation."""
    held = {f for f in faces if any(word in f.path.lower() for word in HELD_OUT)}
    return [f for f in faces if f not in held], [f for f in faces if f in held]


def draw_sheet(rng: np.random.Generator, faces: Sequence[Face], height: int, width: int) -> NDArray[np.float32]:
    """Reflectance and coverage of one page, ``(H, W, 4)``."""
    sheet = draw_page(rng, faces, height, width)
    return np.concatenate([sheet.reflectance, sheet.cover[..., None]], -1)


def fill(
    pool: Tensor, filled: Tensor, faces: list[Face], photos: list[NDArray[np.uint8]], seed: int, pause: float
) -> None:
    """Draw crops into the pool for ever, ``(N, 4, CROP, CROP)`` uint8: picture and mask."""
    torch.set_num_threads(1)
    parent = os.getppid()
    rng = np.random.default_rng(seed)
    sheets: list[NDArray[np.uint8]] = []
    pages: list[NDArray[np.uint8]] = []
    count = 0
    while os.getppid() == parent:
        if len(sheets) < SHEETS or rng.random() < 0.1:
            sheet = (draw_sheet(rng, faces, SHEET, SHEET) * 255).astype(np.uint8)
            if len(sheets) < SHEETS:
                sheets.append(sheet)
            else:
                sheets[rng.integers(SHEETS)] = sheet
        if count % 12 == 11:  # a page as a whole, and four pieces of it: every third crop is of such a page
            if len(pages) < SHEETS // 8 or rng.random() < 0.2:
                page = (draw_sheet(rng, faces, TALL, WIDE) * 255).astype(np.uint8)
                pages = [*pages[-(SHEETS // 8) + 1 :], page]
            front, back = (pages[rng.integers(len(pages))].astype(np.float32) / 255 for _ in range(2))
            picture, ink = photograph(rng, front, back[..., :3], TALL - 32, WIDE - 32, photos=photos, whole=True)
            tops, lefts = (rng.integers(0, size - CROP + 1, 4) for size in ink.shape)
            places = [(slice(y, y + CROP), slice(x, x + CROP)) for y, x in zip(tops, lefts, strict=True)]
            pieces = [(picture[place], ink[place]) for place in places]
        else:
            front, back = (sheets[rng.integers(len(sheets))].astype(np.float32) / 255 for _ in range(2))
            pieces = [photograph(rng, front, back[..., :3], CROP, CROP, photos=photos)]
        for image, mask in pieces:
            slot = count % len(pool)
            pool[slot, :3] = torch.from_numpy(image.copy()).permute(2, 0, 1)
            pool[slot, 3] = torch.from_numpy(mask)
            count += 1
            filled[0] = count
            if count >= len(pool):  # full: leave the processor to the training
                time.sleep(pause)


def draw_pages(faces: list[Face], count: int, *, seed: int, held_out: bool) -> Pages:
    """Pages to measure on, the same every time: two pieces of a page, then a whole one; none of them blank."""
    rng = np.random.default_rng(seed)
    pages: Pages = []
    while len(pages) < count:
        whole = len(pages) % 3 == 2
        tall, wide, height, width = (1024, 800, 992, 768) if whole else (1024, 1024, 768, 768)
        front, back = (draw_sheet(rng, faces, tall, wide) for _ in range(2))
        image, mask = photograph(rng, front, back[..., :3], height, width, held_out=held_out, whole=whole)
        if mask.mean() > 0.003:
            pages.append((image, mask))
    return pages


def validation(out: Path, faces: list[Face], count: int) -> Pages:
    """The validation pages, from OUT/val.npz or drawn."""
    file = out / "val.npz"
    if not file.exists():
        pages = draw_pages(faces, count, seed=20251, held_out=True)
        arrays = {f"{kind}{i}": array for i, page in enumerate(pages) for kind, array in zip("im", page, strict=True)}
        np.savez(file, allow_pickle=False, **arrays)
    with np.load(file) as stored:
        return [(stored[f"i{i}"], stored[f"m{i}"]) for i in range(len(stored.files) // 2)]
