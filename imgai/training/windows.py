"""Crops of pictures, and resizing to the size of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from imgai.images.depth import to_float

GREY = 114
"""Of 255: what letterbox bars are filled with, as in a run."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a picture, which may reach beyond it, and the size that it is brought to; all in pixels."""

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]

    def scaled(self, scale: int) -> Window:
        """The same of a picture with so many times as long sides."""
        top, left, height, width = (scale * value for value in (self.top, self.left, self.height, self.width))
        return Window(top, left, height, width, (scale * self.size[0], scale * self.size[1]))


def cut(picture: np.ndarray, window: Window, *, mode: str = "bilinear", fill: int | None = None) -> np.ndarray:
    """Crop and resize the window. Beyond the picture it is padded by reflection, or with a value.

    fill: the value, as one of 8 bits; None: reflection.
    mode: "nearest" for numbers of classes, "bilinear" or "bicubic" (antialiased) for all else.

    Shape: ``(H, W)`` or ``(H, W, C)`` to ``(h, w)`` or ``(h, w, C)``, of the same dtype.
    """
    height, width = picture.shape[:2]
    above, before = max(0, -window.top), max(0, -window.left)
    below = max(0, window.top + window.height - height)
    behind = max(0, window.left + window.width - width)
    part = picture[max(0, window.top) : window.top + window.height, max(0, window.left) : window.left + window.width]
    if above or below or before or behind:
        sides = ((above, below), (before, behind), *[(0, 0)] * (picture.ndim - 2))
        if fill is not None:
            part = np.pad(part, sides, constant_values=fill * (257 if picture.dtype == np.uint16 else 1))
        else:
            part = np.pad(part, sides, mode="reflect")
    return resized(part, window.size, mode)


def resized(part: np.ndarray, size: tuple[int, int], mode: str) -> np.ndarray:
    """Brought to a size. Shape: ``(h, w)`` or ``(h, w, C)``, kept but for the size; so is the dtype."""
    if part.shape[:2] == size:
        return part
    if mode == "nearest":
        rows, columns = (
            np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
            for new, old in zip(size, part.shape[:2], strict=True)
        )
        picked: np.ndarray = part[rows][:, columns]
        return picked
    planes = torch.from_numpy(np.ascontiguousarray(part))
    planes = planes[None, None] if part.ndim == 2 else planes.permute(2, 0, 1)[None]
    if part.dtype == np.uint8:
        made = F.interpolate(planes, size, mode=mode, antialias=True)
    else:
        deep = F.interpolate(to_float(planes), size, mode=mode, antialias=True).clamp_(0, 1)
        made = deep if part.dtype.kind == "f" else deep.mul_(65535).add_(0.5).to(torch.int32).to(torch.uint16)
    made = made[0, 0] if part.ndim == 2 else made[0].permute(1, 2, 0)
    return np.asarray(made.numpy())


def turned(array: np.ndarray, mirror: bool, turns: int) -> np.ndarray:
    """Mirrored left and right, then turned by quarters. Shape: ``(h, w[, C])``; sides change places at odd turns."""
    array = array[:, ::-1] if mirror else array
    return np.rot90(array, turns) if turns else array
