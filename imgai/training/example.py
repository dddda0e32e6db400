"""One picture with its target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

Box = tuple[int, float, float, float, float]
"""The index of a class, then x0, y0, x1, y1 as fractions of the picture's sides."""


class LabelPicture(Protocol):
    """The label image of an example: a file, or outlines to be drawn."""

    def read(self, max_pixels: int) -> np.ndarray:
        """0 is the background, the index of a class or the number of an object from 1 on. Shape: ``(H, W)`` int32"""
        ...


Target = Path | int | tuple[Box, ...] | LabelPicture | None


@dataclass(frozen=True, slots=True)
class Example:
    """One picture (a page of a file) with its target.

    target: the index of a class (SCORES), a `LabelPicture` (MASK), boxes (BOXES), or the path of a picture whose page
        of the same number it is (IMAGE); None for a clean picture that the input is to be made from.
    group: pictures of one group are on one side of the split. key: a digest of what the picture shows.
    name: as people know it, below the folder of the data set.
    size: (H, W) in pixels. classes: the indices of the classes that it shows.
    truth: a digest of the target's content.
    """

    image: Path
    page: int
    target: Target
    group: str
    key: str
    name: str = ""
    size: tuple[int, int] = (0, 0)
    classes: tuple[int, ...] = ()
    truth: str = ""
