"""Pairs to learn from: small pictures as they lie on the web, and what the teacher makes of each.

The small ones come from photographs by the losses of Real-ESRGAN's paper (arXiv:2107.10833, section 3): blur,
resizing by several filters, noise and JPEG, in one round or two; one in four is only shrunk, or shrunk and saved well.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from degradations import blur, jpeg, noise, shrink, whole_levels
from drawings import drawings
from numpy.typing import NDArray
from PIL import Image
from teacher import SCALE, answer, load
from torch import Tensor
from torch.nn import functional as F

SIDE = 64
"""Of a small crop."""
SHARD = 96
"""Pairs in a file."""
HELD_OUT = 40
VALIDATION = 144
"""Side of the small pictures that are held out."""
FARTHEST = 5.0
"""Times that a photograph is shrunk at most on its way to the small crop."""
DRAWN = 120
"""Pictures of shapes and letters among the photographs."""
Tiles = NDArray[np.uint8]


def photographs(folder: Path) -> tuple[list[Path], list[Path]]:
    """Those to learn from, and the 40 whose names have the lowest digests."""
    files = sorted(folder.iterdir(), key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
    return files[HELD_OUT:], files[:HELD_OUT]


def tile(path: Path, side: int = 512) -> Tiles:
    """The middle of a picture: ``(side, side, 3)``."""
    with Image.open(path) as image:
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return np.asarray(image.convert("RGB").crop((left, top, left + side, top + side)))


def tensor(image: Tiles) -> Tensor:
    """Shape: ``(H, W, 3)`` to ``(1, 3, H, W)`` in [0, 1]."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255


def pixels(image: Tensor) -> Tiles:
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, H, W, 3)``."""
    found: Tiles = (image.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return found


def degrade(rng: np.random.Generator, image: Tensor, side: int) -> Tensor:
    """A picture's way to a small one of the web. Shape: ``(1, 3, H, H)`` to ``(1, 3, side, side)``, whole levels."""
    factor = image.shape[-1] / side
    way = rng.random()
    if way < 0.25:  # well kept
        image = shrink(rng, image, (side, side))
        return whole_levels(jpeg(rng, image, 75) if rng.random() < 0.6 else image)
    if way < 0.6:  # two rounds: someone saved it, someone else made it smaller
        if rng.random() < 0.5:
            image = blur(rng, image, 0.7 * factor)
        if rng.random() < 0.8:
            between = round(side * math.exp(rng.uniform(math.log(0.7), math.log(max(1.0, factor)))))
            image = shrink(rng, image, (between, between)).clamp(0, 1)
        if rng.random() < 0.5:
            image = noise(rng, image, 12)
        if rng.random() < 0.7:
            image = jpeg(rng, image, 35)
        factor = image.shape[-1] / side
    if rng.random() < 0.55:
        image = blur(rng, image, max(0.6, 0.7 * factor))
    image = shrink(rng, image, (side, side)).clamp(0, 1)
    first = rng.random() < 0.2
    if first:
        image = jpeg(rng, image, 35 if rng.random() < 0.4 else 60)
    if rng.random() < 0.5:
        image = noise(rng, image, 12)
    return whole_levels(image if first else jpeg(rng, image, 35 if rng.random() < 0.4 else 60))


def crop(rng: np.random.Generator, tiles: list[Tiles]) -> Tensor:
    """Of four places the one with the most detail, at sizes from the small crop's up. Shape: ``(1, 3, H, H)``."""
    factor = math.exp(rng.uniform(0, math.log(FARTHEST)))
    seen = min(512, round(SIDE * factor))
    found = []
    for _ in range(4 if rng.random() < 0.7 else 1):
        source = tiles[rng.integers(len(tiles))]
        top, left = rng.integers(0, 513 - seen, 2)
        piece = source[top : top + seen, left : left + seen]
        found.append((float(np.abs(np.diff(piece[::2, ::2, 1].astype(np.int16), axis=0)).mean()), piece))
    image = tensor(max(found, key=lambda pair: pair[0])[1])
    if rng.random() < 0.5:
        image = image.flip(3)
    return torch.rot90(image, 1, (2, 3)) if rng.random() < 0.15 else image


def make(wheel: Path, photos: Path, out: Path, count: int, seed: int) -> None:
    """Write lessons into OUT/lessons until there are `count` pairs; files that are there are kept."""
    folder = out / "lessons"
    folder.mkdir(parents=True, exist_ok=True)
    teacher = load(wheel)
    learn, _ = photographs(photos)
    tiles = [tile(path) for path in learn]
    tiles += list(drawings(DRAWN, np.stack(tiles[:200])))
    begin = time.time()
    for number in range(math.ceil(count / SHARD)):
        file = folder / f"{number:04d}.npz"
        if file.exists():
            continue
        rng = np.random.default_rng([seed, number])
        small = torch.cat([degrade(rng, crop(rng, tiles), SIDE) for _ in range(SHARD)])
        large = torch.cat([answer(teacher, part) for part in small.split(4)])
        with file.with_suffix(".new").open("wb") as stream:
            np.savez(stream, small=pixels(small), large=pixels(large))
        file.with_suffix(".new").replace(file)
        print(json.dumps({"pairs": (number + 1) * SHARD, "seconds": round(time.time() - begin)}), flush=True)


def hold_out(wheel: Path, photos: Path, out: Path) -> None:
    """Write OUT/validation: small JPEGs of the photographs held out, and the teacher's answers beside them as PNG."""
    folder = out / "validation"
    folder.mkdir(parents=True, exist_ok=True)
    teacher = None
    for number, path in enumerate(photographs(photos)[1]):
        large = folder / f"{path.stem}-x4plus.png"
        if large.exists():
            continue
        teacher = teacher or load(wheel)
        rng = np.random.default_rng([7, number])
        seen = round(VALIDATION * rng.uniform(1.5, 512 / VALIDATION))
        start = (512 - seen) // 2
        piece = Image.fromarray(tile(path)[start : start + seen, start : start + seen])
        kind = rng.choice([Image.Resampling.BICUBIC, Image.Resampling.LANCZOS, Image.Resampling.BILINEAR])
        small = folder / f"{path.stem}.jpg"
        piece.resize((VALIDATION, VALIDATION), int(kind)).save(small, quality=int(rng.integers(60, 96)))
        with Image.open(small) as image:
            given = tensor(np.asarray(image.convert("RGB")))
        Image.fromarray(pixels(answer(teacher, given))[0]).save(large)


def plain(small: Tensor, scale: int = SCALE) -> Tensor:
    """Bicubic enlargement, in [0, 1]."""
    return F.interpolate(small, scale_factor=scale, mode="bicubic").clamp(0, 1)
