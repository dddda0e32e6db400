"""Photographs to train on: read once, cut into crops as they are needed."""

from __future__ import annotations

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
    if not cache.exists():
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        if len(paths) <= HELD_OUT:
            raise ValueError(f"{folder} holds {len(paths)} pictures; {HELD_OUT} of them are for validation alone")
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
    found: NDArray[np.uint8] = np.load(cache, mmap_mode="r")
    return found


def to_tensor(picture: NDArray[np.uint8]) -> Tensor:
    """Shape: ``(..., H, W, 3)`` uint8 -> ``(..., 3, H, W)`` float32 in [0, 1]."""
    return torch.from_numpy(np.array(picture)).movedim(-1, -3).float() / 255


def crops(
    rng: np.random.Generator, photographs: NDArray[np.uint8], count: int, size: int, *, most: float = 1.6
) -> Tensor:
    """Random crops, turned and mirrored; every other one shrunk up to `most` times, which makes its detail finer.

    Shape: ``(count, 3, size, size)`` float32 in [0, 1]
    """
    batch = torch.empty(count, 3, size, size)
    for place in batch:
        photograph = photographs[rng.integers(len(photographs))]
        factor = min(rng.uniform(1, most), SIDE / size) if rng.random() < 0.5 else 1.0
        side = min(SIDE, round(size * factor))
        top, left = rng.integers(0, SIDE - side + 1, 2)
        crop = to_tensor(photograph[top : top + side, left : left + side])[None]
        if side != size:
            crop = F.interpolate(crop, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
        turn = int(rng.integers(8))
        crop = torch.rot90(crop, turn % 4, (-2, -1))
        place.copy_(crop[0].flip(-1) if turn > 3 else crop[0])
    return batch
