"""Folders of small pictures in every format, and what is right to come of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

SUFFIXES = (".jpg", ".png", ".tif", ".webp", ".gif", ".bmp", ".ppm", ".avif")
RUNS: tuple[tuple[str, ...], ...] = (
    ("segment", "in", "--model", "nuclei", "--as", "mask,binary,cutout,overlay,labels,coco", "--out", "out"),
    ("enhance", "in", "--out", "out"),
    ("enhance", "in", "--format", "webp", "--out", "out"),
    ("segment", "in", "--model", "nuclei", "--as", "coco", "--out", "out"),
    ("classify", "in", "--out", "out/labels.csv", "--sort-into", "out/sorted"),
    ("chain", "in", "--keep", "segment", "--out", "out", "segment --model nuclei", "enhance"),
)
"""Commands over every kind of output; all write into ``out`` alone."""


def make_folder(folder: Path, *, seed: int = 0, side: int = 96) -> Path:
    """A picture in each format, a TIFF of pages and a GIF of frames."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, suffix in enumerate(SUFFIXES):
        _picture(seed + number, side).save(folder / f"{suffix[1:]}{suffix}")
    pages = [np.asarray(_picture(seed + number, side).convert("L")) for number in range(4)]
    with tifffile.TiffWriter(folder / "pages.tif") as writer:
        for page in pages:
            writer.write(page, contiguous=False)
    frames = [_picture(seed + number, side) for number in range(3)]
    frames[0].save(folder / "frames.gif", save_all=True, append_images=frames[1:])
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """Every file that people see below a folder, by its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def left_overs(folder: Path) -> list[str]:
    """Hidden files of runs that are no more."""
    return [path.name for path in folder.rglob("*.imgai-tmp")]


def _picture(seed: int, side: int) -> Image.Image:
    """A soft field with discs, so that there is something to find."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    base = np.stack([40 + 30 * np.sin(x / 17 + i + seed) + 20 * np.cos(y / 11) for i in range(3)], -1)
    for _ in range(4):
        top, left, radius = chance.integers((12, 12, 5), (side - 12, side - 12, 12)).tolist()
        base += (170 * np.clip(radius - np.hypot(y - top, x - left), 0, 1))[..., None]
    return Image.fromarray(np.clip(base + chance.normal(0, 3, base.shape), 0, 255).astype(np.uint8))
