"""Photographs and masks to learn from: made once, cut into crops as they are needed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from holes import draw_mask
from numpy.typing import NDArray
from torch import Tensor

from imgai.training.photographs import SIDE, crop, squares, turned

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
    return squares([folder / name for name in wanted], cache)


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
        place[:3] = crop(rng, photographs, size, most=most)
        top, left = rng.integers(0, SIDE - size + 1, 2)
        mask = np.array(drawn[rng.integers(len(drawn)), top : top + size, left : left + size])
        place[3] = turned(rng, torch.from_numpy(mask).float())
    return batch
