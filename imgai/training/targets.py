"""Targets as tensors, cropped, rotated and mirrored like the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from imgai.training.example import Box
from imgai.training.windows import Window

SEEN = 0.25
"""The least part of a box that must be in a window for the object to count as seen."""


def one_hot(labels: np.ndarray, count: int, *, objects: bool) -> np.ndarray:
    """A map for each class. Shape: ``(h, w)`` of integers to ``(count, h, w)`` float32"""
    if objects:
        return np.asarray((labels > 0)[None], np.float32)
    return np.asarray(labels[None] == np.arange(1, count + 1)[:, None, None], np.float32)


def boxes_in(boxes: Sequence[Box], size: tuple[int, int], window: Window, mirror: bool, turns: int) -> list[Box]:
    """The boxes that are seen in a window, cut at its edge, as fractions of its sides.

    size: of the picture, (H, W) in pixels. mirror, turns: as `windows.turned` is given them.
    """
    height, width = size
    found = []
    for label, *corners in boxes:
        x0, y0, x1, y1 = corners[0] * width, corners[1] * height, corners[2] * width, corners[3] * height
        area = max((x1 - x0) * (y1 - y0), 1e-9)
        x0, x1 = ((min(max(x - window.left, 0), window.width)) / window.width for x in (x0, x1))
        y0, y1 = ((min(max(y - window.top, 0), window.height)) / window.height for y in (y0, y1))
        if (x1 - x0) * (y1 - y0) * window.height * window.width < SEEN * area:
            continue
        if mirror:
            x0, x1 = 1 - x1, 1 - x0
        for _ in range(turns % 4):  # against the clock: what was at the right is at the top
            x0, y0, x1, y1 = y0, 1 - x1, y1, 1 - x0
        found.append((label, x0, y0, x1, y1))
    return found


def padded(boxes: Sequence[Sequence[Box]]) -> Tensor:
    """The boxes of a batch in one tensor; class -1 fills up. Shape: ``(B, M, 5)`` float32, M at least 1"""
    most = max(1, *(len(each) for each in boxes))
    made = torch.full((len(boxes), most, 5), 0.0)
    made[..., 0] = -1
    for row, each in zip(made, boxes, strict=True):
        if each:
            row[: len(each)] = torch.tensor(each)
    return made
