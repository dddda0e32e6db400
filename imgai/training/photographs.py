"""Photographs that the shipped models were trained on: read once, cut into crops as they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

SIDE = 512
"""The middle SIDE x SIDE pixels of every photograph are used."""
HELD_OUT = 40
"""The last photographs, in the order of their names, are for validation."""


def read(folder: Path, cache: Path) -> NDArray[np.uint8]:
    """Every photograph of a folder, ``(N, SIDE, SIDE, 3)``; kept in `cache`, and read from there the next time.

    Raises:
        ValueError: a picture is smaller than SIDE, or there are too few.
    """
    paths: list[Path] = []
    if not cache.exists():
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        if len(paths) <= HELD_OUT:
            raise ValueError(f"{folder} holds {len(paths)} pictures; {HELD_OUT} of them are for validation alone")
    return squares(paths, cache)


def squares(paths: Sequence[Path], cache: Path) -> NDArray[np.uint8]:
    """Those photographs, ``(N, SIDE, SIDE, 3)``; kept in `cache`, and read from there the next time.

    Raises:
        ValueError: a picture is smaller than SIDE.
    """
    if not cache.exists():
        made = cache.with_suffix(".part")
        shape = (len(paths), SIDE, SIDE, 3)
        pictures = np.lib.format.open_memmap(made, mode="w+", dtype=np.uint8, shape=shape)
        for picture, path in zip(pictures, paths, strict=True):
            whole = np.asarray(Image.open(path).convert("RGB"))
            top, left = (whole.shape[0] - SIDE) // 2, (whole.shape[1] - SIDE) // 2
            if top < 0 or left < 0:
                raise ValueError(f"{path} is smaller than {SIDE}x{SIDE}")
            picture[:] = whole[top : top + SIDE, left : left + SIDE]
        pictures.flush()
        made.rename(cache)
    photographs: NDArray[np.uint8] = np.load(cache, mmap_mode="r")
    return photographs


def to_tensor(picture: NDArray[np.uint8]) -> Tensor:
    """Shape: ``(..., H, W, 3)`` uint8 -> ``(..., 3, H, W)`` float32 in [0, 1]."""
    return torch.from_numpy(np.array(picture)).movedim(-1, -3).float() / 255


def turned(rng: np.random.Generator, image: Tensor) -> Tensor:
    """One of the eight ways to turn and mirror it. Shape: ``(..., S, S)``, kept."""
    turn = int(rng.integers(8))
    image = torch.rot90(image, turn % 4, (-2, -1))
    return image.flip(-1) if turn > 3 else image


def crop(rng: np.random.Generator, photographs: NDArray[np.uint8], size: int, *, most: float) -> Tensor:
    """A random crop of one of them, turned and mirrored; every other one shrunk up to `most` times.

    Shape: ``(3, size, size)`` float32 in [0, 1]
    """
    photograph = photographs[rng.integers(len(photographs))]
    factor = min(rng.uniform(1, most), SIDE / size) if rng.random() < 0.5 else 1.0
    side = min(SIDE, round(size * factor))
    top, left = rng.integers(0, SIDE - side + 1, 2)
    cropped = to_tensor(photograph[top : top + side, left : left + side])[None]
    if side != size:
        cropped = F.interpolate(cropped, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
    return turned(rng, cropped[0])


def crops(
    rng: np.random.Generator, photographs: NDArray[np.uint8], count: int, size: int, *, most: float = 1.6
) -> Tensor:
    """Random crops, turned and mirrored; every other one shrunk up to `most` times, which makes its detail finer.

    Shape: ``(count, 3, size, size)`` float32 in [0, 1]
    """
    return torch.stack([crop(rng, photographs, size, most=most) for _ in range(count)])
