"""Photographs and masks to learn from: made once, cut into crops as they are needed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from holes import draw_mask
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

SIDE = 512
"""The middle SIDE x SIDE pixels of every photograph are used."""
HELD_OUT = 40
"""So many photographs are for validation alone: the first, in the order of the hashes of their names."""


def names(folder: Path, sources: Path | None = None) -> tuple[list[str], list[str]]:
    """Names of the photographs for training and of those that are held out.

    sources: a table (tab-separated: file, collection, picture) of what each was cut from: nothing is then trained on
    that shares its picture with one that is held out, and no two held-out ones share theirs.

    Raises:
        ValueError: there are too few photographs.
    """
    found = sorted(path.name for path in folder.iterdir() if path.is_file())
    if len(found) <= HELD_OUT:
        raise ValueError(f"{folder} holds {len(found)} pictures; {HELD_OUT} of them are for validation alone")
    rows = [line.split("\t") for line in sources.read_text().splitlines()[1:]] if sources else []
    of = {name: f"{collection}/{picture}" for name, collection, picture in rows}
    held: dict[str, str] = {}
    for name in sorted(found, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        if len(held) < HELD_OUT:
            held.setdefault(of.get(name, name), name)
    return [name for name in found if of.get(name, name) not in held], list(held.values())


def read(folder: Path, wanted: list[str], cache: Path) -> NDArray[np.uint8]:
    """Those photographs, ``(N, SIDE, SIDE, 3)``; kept in `cache`, and read from there the next time.

    Raises:
        ValueError: a picture is smaller than SIDE.
    """
    if not cache.exists():
        made = cache.with_suffix(".part")
        shape = (len(wanted), SIDE, SIDE, 3)
        pictures = np.lib.format.open_memmap(made, mode="w+", dtype=np.uint8, shape=shape)
        for picture, name in zip(pictures, wanted, strict=True):
            whole = np.asarray(Image.open(folder / name).convert("RGB"))
            top, left = (whole.shape[0] - SIDE) // 2, (whole.shape[1] - SIDE) // 2
            if top < 0 or left < 0:
                raise ValueError(f"{name} is smaller than {SIDE}x{SIDE}")
            picture[:] = whole[top : top + SIDE, left : left + SIDE]
        pictures.flush()
        made.rename(cache)
    found: NDArray[np.uint8] = np.load(cache, mmap_mode="r")
    return found


def masks(fonts: list[Path], count: int, cache: Path) -> NDArray[np.uint8]:
    """So many drawn masks, ``(count, SIDE, SIDE)``, 1 in holes; kept in `cache`."""
    if not cache.exists():
        rng = np.random.default_rng(7)
        drawn = [draw_mask(rng, SIDE, fonts, least=0.06, most=0.25) for _ in range(count)]
        made = cache.with_suffix(".part.npy")
        np.save(made, np.stack(drawn).astype(np.uint8))
        made.rename(cache)
    found: NDArray[np.uint8] = np.load(cache, mmap_mode="r")
    return found


def to_tensor(picture: NDArray[np.uint8]) -> Tensor:
    """Shape: ``(..., H, W, 3)`` uint8 -> ``(..., 3, H, W)`` float32 in [0, 1]."""
    return torch.from_numpy(np.array(picture)).movedim(-1, -3).float() / 255


def _turned(rng: np.random.Generator, x: Tensor) -> Tensor:
    turn = int(rng.integers(8))
    x = torch.rot90(x, turn % 4, (-2, -1))
    return x.flip(-1) if turn > 3 else x


def crops(
    rng: np.random.Generator,
    photographs: NDArray[np.uint8],
    drawn: NDArray[np.uint8],
    count: int,
    size: int,
    *,
    most: float = 2.0,
) -> Tensor:
    """Random crops and masks, each turned and mirrored; every other crop shrunk up to `most` times.

    Shape: ``(count, 4, size, size)`` float32 in [0, 1]: the whole picture, and the mask
    """
    batch = torch.empty(count, 4, size, size)
    for place in batch:
        photograph = photographs[rng.integers(len(photographs))]
        factor = min(rng.uniform(1, most), SIDE / size) if rng.random() < 0.5 else 1.0
        side = min(SIDE, round(size * factor))
        top, left = rng.integers(0, SIDE - side + 1, 2)
        crop = to_tensor(photograph[top : top + side, left : left + side])[None]
        if side != size:
            crop = F.interpolate(crop, (size, size), mode="bicubic", antialias=True).clamp(0, 1)
        place[:3] = _turned(rng, crop[0])
        top, left = rng.integers(0, SIDE - size + 1, 2)
        mask = np.array(drawn[rng.integers(len(drawn)), top : top + size, left : left + size])
        place[3] = _turned(rng, torch.from_numpy(mask).float())
    return batch
