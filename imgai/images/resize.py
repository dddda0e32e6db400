"""Resize images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.images.depth import quantize, to_float

_ROWS = 256


def resize(image: Tensor, size: tuple[int, int], *, mode: str = "bilinear") -> Tensor:
    """Resize with an antialiased filter, to float32 in [0, 1].

    mode: ``bilinear`` or ``bicubic`` (Keys 1981, a = -0.5).

    On a CPU a uint8 image is resized as uint8, which is several times as fast as in float; the result differs by at
    most one level (1/255) from the float result on other devices.

    Shape: ``(1, C, H, W)`` uint8, uint16 or float to ``(1, C, *size)``.
    """
    if tuple(image.shape[-2:]) == size:
        return to_float(image)
    gray = image.stride(1) == 0 and image.shape[1] > 1  # one channel, repeated: resize it once
    channels = image.shape[1]
    source = image[:, :1] if gray else image
    if source.dtype == torch.uint8 and source.device.type == "cpu":
        resized = to_float(F.interpolate(source, size, mode=mode, antialias=True))
    else:
        resized = F.interpolate(to_float(source), size, mode=mode, antialias=True).clamp_(0, 1)
    return resized.expand(-1, channels, -1, -1) if gray else resized


def resize_finely(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize like `resize` with ``bilinear``, but in float on every device, without rounding to 8 bits.

    For networks that are sensitive to small differences (style transfer): 8-bit and 16-bit inputs then give the same
    result. Rows are processed in bands, because a float copy of the whole picture would take four times the memory.

    Shape: ``(1, C, H, W)`` uint8, uint16 or float to ``(1, C, *size)`` float32 in [0, 1]
    """
    height, width = (int(side) for side in image.shape[-2:])
    if (height, width) == size:
        return to_float(image)
    gray = image.stride(1) == 0 and image.shape[1] > 1  # one channel, repeated: resize it once
    source = image[:, :1] if gray else image
    parts = []
    for top in range(0, height, _ROWS):
        rows = to_float(source[..., top : top + _ROWS, :])
        parts.append(F.interpolate(rows, (int(rows.shape[-2]), size[1]), mode="bilinear", antialias=True))
    resized = F.interpolate(torch.cat(parts, dim=-2), size, mode="bilinear", antialias=True).clamp_(0, 1)
    return resized.expand(-1, image.shape[1], -1, -1) if gray else resized


def bicubic(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize like `resize` with ``bicubic``, but keep the dtype, which saves memory and costs half a level of
    precision.

    Shape: ``(1, C, H, W)`` uint8, uint16 or float to ``(1, C, *size)``.
    """
    if image.dtype == torch.uint8 and image.device.type == "cpu":
        return F.interpolate(image, size, mode="bicubic", antialias=True)
    resized = resize(image, size, mode="bicubic")
    return resized if image.is_floating_point() else quantize(resized, 8 * image.element_size())
