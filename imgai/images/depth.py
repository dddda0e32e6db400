"""Conversion between integer pixels of 8 or 16 bits and float."""

from __future__ import annotations

import torch
from torch import Tensor

_MAXIMUM = {torch.uint8: 255.0, torch.uint16: 65535.0}
_DTYPE = {8: torch.uint8, 16: torch.uint16}


def to_float(image: Tensor) -> Tensor:
    """Convert to float32 in [0, 1]: uint8 is divided by 255, uint16 by 65535; floats are not scaled.

    Shape: any; unchanged.
    """
    if image.dtype in _MAXIMUM:
        return image.to(torch.float32).div_(_MAXIMUM[image.dtype])
    return image.to(torch.float32)


def quantize(image: Tensor, depth: int) -> Tensor:
    """Convert to uint8 or uint16, for a depth of 8 or 16 bits, with rounding. An image of that depth is not copied.

    Shape: any; unchanged. Floats are clamped to [0, 1] first.
    """
    target = _DTYPE[depth]
    if image.dtype == target:
        return image
    # Adding half a level makes truncation round. The cast goes through int32 because not every device casts to uint16.
    levels = to_float(image).clamp(0, 1).mul_(_MAXIMUM[target]).add_(0.5)
    return levels.to(target) if depth == 8 else levels.to(torch.int32).to(target)
