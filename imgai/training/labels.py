"""Label pictures: where they are, and how what they hold becomes numbers of classes or objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from imgai.errors import UsageError
from imgai.images import orientation
from imgai.training.pictures import label_pages, page_of

HALF = {np.dtype(np.uint8): 128, np.dtype(np.uint16): 32768}
"""The threshold for masks with soft or damaged edges."""


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A page of a file of labels.

    kind: "binary": what is not 0 is inside; "soft": what is above the middle is; "classes" and "objects": as it is.
    turn: how it is turned besides, as EXIF counts: 1 is not at all.
    """

    path: Path
    page: int
    kind: str = "classes"
    turn: int = 1

    def read(self, max_pixels: int) -> np.ndarray:
        """The numbers. Shape: ``(H, W)`` int32; raises InputError as the first reading did."""
        read = partial(label_pages, self.path, self.path.name, max_pixels)
        values = page_of(self.path, self.page, read, "labels")
        return self.meant(orientation.apply(values, self.turn))

    def meant(self, values: np.ndarray) -> np.ndarray:
        """Convert the values of a file to classes or objects. Shape: ``(H, W)`` of any integers to int32."""
        if self.kind == "binary":
            values = values != 0
        elif self.kind == "soft":
            values = values >= HALF[values.dtype]
        return values.astype(np.int32)


@dataclass(frozen=True, slots=True)
class Shapes:
    """Objects of one picture as COCO writes them, to be drawn; of several at one place the smallest is seen.

    shapes: the number that each is drawn with, and its polygons or run-length encoding.
    """

    height: int
    width: int
    shapes: tuple[tuple[int, Any], ...]

    def read(self, max_pixels: int) -> np.ndarray:
        """The numbers. Shape: ``(H, W)`` int32"""
        drawn = [(number, mask_of(shape, self.height, self.width)) for number, shape in self.shapes]
        labels = np.zeros((self.height, self.width), np.int32)
        for number, mask in sorted(drawn, key=lambda pair: -int(pair[1].sum())):
            labels[mask] = number
        return labels


def mask_of(shape: Any, height: int, width: int) -> np.ndarray:
    """Where one object of COCO's JSON is. Shape: ``(H, W)`` bool. Raises ValueError for what is no such shape."""
    try:
        from pycocotools import mask
    except ImportError as error:
        raise UsageError("masks in COCO's JSON need pycocotools", "pip install 'imgai[train]'") from error
    if isinstance(shape, list):
        if not shape or any(len(polygon) < 6 for polygon in shape):
            raise ValueError("a polygon has at least three corners")
        encoded = mask.merge(mask.frPyObjects(shape, height, width))
    elif isinstance(shape, dict) and isinstance(shape.get("counts"), list):
        encoded = mask.frPyObjects(shape, height, width)
    elif isinstance(shape, dict) and "counts" in shape:
        encoded = shape
    else:
        raise ValueError("there is no polygon and no run-length encoding")
    decoded = np.asarray(mask.decode(encoded)).astype(bool)
    if decoded.shape != (height, width):
        raise ValueError("it is of another size than the picture")
    return decoded


@dataclass(frozen=True, slots=True)
class Values:
    """Which values a label picture has. middle: the part of its pixels that lie between dark and bright."""

    present: tuple[int, ...]
    deep: bool
    middle: float


def values_of(labels: np.ndarray) -> Values:
    """Look at a label picture. Shape: ``(H, W)`` of unsigned integers, or int32"""
    if labels.dtype in (np.uint8, np.uint16):
        counts = np.bincount(labels.ravel())
        present = np.flatnonzero(counts)
        middle = counts[32:224].sum() / labels.size if labels.dtype == np.uint8 else 0.0
    else:
        present, middle = np.unique(labels), 0.0
    return Values(tuple(present.tolist()), labels.dtype != np.uint8, float(middle))


def kind_of(found: Sequence[Values]) -> str:
    """Guess the meaning of label images without a list of classes; "" if it is ambiguous."""
    if all(len(values.present) <= 2 and set(values.present) <= {0, 1, 255, 65535} for values in found):
        return "binary"
    if any(values.deep for values in found):
        return "objects"
    if sum(values.middle for values in found) < 0.05 * len(found) and any(max(v.present) > 223 for v in found):
        return "soft"
    return ""


def of_kind(label: LabelFile, kind: str) -> LabelFile:
    """The same file, understood so."""
    return dataclasses.replace(label, kind=kind)
