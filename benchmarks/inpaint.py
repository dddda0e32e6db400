"""How long `imgai inpaint` takes: tiles without a masked pixel are not predicted.

Pictures in memory, one thread: one of 12 megapixels with a few scratches, and one of a megapixel with a dot in every
tile.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.pictures import make_photographs


def scratched(size: tuple[int, int]) -> np.ndarray:
    """A mask of twelve scratches of 600 pixels."""
    random, mask = np.random.default_rng(0), Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    for _ in range(12):
        x, y = int(random.integers(0, size[0] - 300)), int(random.integers(0, size[1] - 600))
        pen.line((x, y, x + int(random.integers(0, 300)), y + 600), 255, 3)
    return np.asarray(mask)


def dotted(size: tuple[int, int]) -> np.ndarray:
    """A mask with a dot every 90 pixels."""
    mask = np.zeros(size[::-1], np.uint8)
    for row in range(7):
        for column in range(7):
            mask[50 + row :: 90, 50 + column :: 90] = 255
    return mask


def measure(scratch: Path) -> dict[str, float]:
    """Seconds and predicted tiles of both."""
    import torch

    import imgai
    from imgai.predict.step import Step

    (path,) = make_photographs(scratch, 1, (2, 2))
    torch.set_num_threads(1)
    chain = imgai.load("inpaint", machine=imgai.Machine(device="cpu"))
    chain(np.zeros((300, 300, 3), np.uint8), mask=np.eye(300, dtype=bool))
    forward, count, found = Step._forward, 0, {}

    def counted(step: Step, items: list[Any]) -> Any:
        nonlocal count
        count += len(items)
        return forward(step, items)

    Step._forward = counted  # type: ignore[method-assign]
    for name, size, masked in (("scratches", (4000, 3000), scratched), ("dots", (1000, 1000), dotted)):
        picture, mask = np.asarray(Image.open(path).resize(size, Image.Resampling.BICUBIC)), masked(size)
        count, begun = 0, time.perf_counter()
        chain(picture, mask=mask)
        found |= {f"{name}: seconds": time.perf_counter() - begun, f"{name}: tiles": float(count)}
    Step._forward = forward  # type: ignore[method-assign]
    return found
