"""Views of the ground truth of a picture, and of the difference between a mask and the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imgai.images.depth import quantize
from imgai.kinds.paint import COLORS
from imgai.kinds.views import Asked, Mark, View, layer
from imgai.measure.boxes import TrueBoxes
from imgai.measure.mask import TrueMask
from imgai.outputs.mask import Mask

RIGHT, MISSED, EXTRA = 2, 5, 6
"""Colours of true positive, false negative and false positive pixels; indices of `COLORS`."""
LEGEND = ((RIGHT, "right"), (MISSED, "missed"), (EXTRA, "too much"))


def true_view(true: Any, labels: tuple[str, ...], asked: Asked) -> View:
    """Make a view of the truth: a class name, a `TrueMask`, `TrueBoxes`, or pixels ``(3, H, W)``."""
    if isinstance(true, str):
        return View(labels=((true, 1.0),))
    if isinstance(true, TrueMask):
        soft = np.stack([_small(each, asked.size) for each in true.classes])
        numbered = None if true.objects is None else _nearest(true.objects, asked.size)
        count = () if true.objects is None else (("objects", f"{len(np.unique(true.objects[true.objects > 0])):,}"),)
        areas = tuple((label, f"{float(each.mean()):.1%}") for label, each in zip(labels, true.classes, strict=False))
        return View(over=layer(soft, 0.5, numbered), facts=(*areas, *count))
    if isinstance(true, TrueBoxes):
        height, width = true.size
        marks = tuple(
            Mark((x0 / width, y0 / height, x1 / width, y1 / height), labels[index], index)
            for (x0, y0, x1, y1), index in zip(true.boxes.tolist(), true.classes.tolist(), strict=True)
        )
        return View(marks=marks)
    return View(image=_picture(true, asked.longest))


def compared(found: Mask, true: TrueMask, asked: Asked) -> Image.Image:
    """Draw true positive, false negative and false positive pixels of the first class as a layer."""
    colors = np.zeros((asked.size[1], asked.size[0], 4), np.uint8)
    for index, each in enumerate(true.classes):
        is_ = _small(each, asked.size) >= 128
        taken = _small(found.inside(index, asked.counting.threshold), asked.size) >= 128
        for where, color in ((is_ & taken, RIGHT), (is_ & ~taken, MISSED), (taken & ~is_, EXTRA)):
            colors[where, :3] = COLORS[color]
            colors[where, 3] = 165
    return Image.fromarray(colors)


def _small(inside: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Shape: ``(H, W)`` bool to ``(h, w)`` uint8"""
    values = torch.from_numpy(inside.astype(np.uint8) * 255)[None, None]
    return np.asarray(F.interpolate(values, size[::-1], mode="bilinear", antialias=True)[0, 0].numpy())


def _nearest(numbered: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = (
        np.linspace(0, length - 1, count).round().astype(int)
        for length, count in zip(numbered.shape, size[::-1], strict=True)
    )
    return np.asarray(numbered[np.ix_(rows, columns)])


def _picture(pixels: Tensor, longest: int) -> Image.Image:
    image = Image.fromarray(quantize(pixels, 8).permute(1, 2, 0).contiguous().numpy())
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image
