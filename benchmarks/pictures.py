"""Photographs of any size for the benchmarks, made of scikit-image's public-domain samples."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from PIL import Image


def make_photographs(folder: Path, count: int, megapixels: tuple[float, float], seed: int = 0) -> list[Path]:
    """Write `count` JPEG files (quality 90) between the two sizes; what is there already is kept.

    Each is one sample photograph, scaled to a random size, mirrored or not, with sensor-like noise, so
    that a decoder has as much to do as with a camera's file.
    """
    from skimage import data

    samples = [Image.fromarray(getattr(data, name)()) for name in ("astronaut", "coffee", "chelsea", "rocket")]
    random_ = random.Random(seed)
    noise = np.random.default_rng(seed).normal(0, 4, (1024, 1024, 3)).astype(np.int16)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"{number:04d}.jpg"
        paths.append(path)
        pixels = random_.uniform(*megapixels) * 1e6
        sample = random_.choice(samples)
        mirrored = random_.random() < 0.5
        if path.exists():
            continue
        scale = (pixels / (sample.width * sample.height)) ** 0.5
        picture = sample.resize((round(sample.width * scale), round(sample.height * scale)), Image.Resampling.BICUBIC)
        array = np.asarray(picture).astype(np.int16)
        tiled = np.tile(noise, (array.shape[0] // 1024 + 1, array.shape[1] // 1024 + 1, 1))
        array = np.clip(array + tiled[: array.shape[0], : array.shape[1]], 0, 255).astype(np.uint8)
        Image.fromarray(array[:, ::-1] if mirrored else array).save(path, quality=90)
    return paths
