"""Fonts for the holes that are drawn, and the masks that are measured with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from imgai_inpaint.drawn import Rng, draw_mask, scratch, text
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["Rng", "draw_mask", "faces", "text_and_scratches"]


def faces(folder: Path) -> tuple[list[Path], list[Path]]:
    """TrueType fonts for training and, of the families whose names end in serif or Serif-..., for validation."""
    found = sorted(folder.rglob("*.ttf"))
    held = [face for face in found if "Serif" in face.name]
    return [face for face in found if face not in held], held


def text_and_scratches(rng: Rng, side: int, fonts: list[Path], *, part: float) -> NDArray[np.bool_]:
    """The mask that is measured with: text and scratches, half each, over a part of the picture."""
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    while np.asarray(mask).mean() / 255 < part / 2:
        text(rng, draw, side, fonts)
    while np.asarray(mask).mean() / 255 < part:
        scratch(rng, draw, side)
    holes: NDArray[np.bool_] = np.asarray(mask) > 127
    return holes
