"""Conversion between integer pixels of 8 or 16 bits and float."""

from __future__ import annotations

import torch
from torch import Tensor

_MAXIMUM = {torch.uint8: 255.0, torch.uint16: 65535.0}
_DTYPE = {8: torch.uint8, 16: torch.uint16}


def to_float(image: Tensor) -> Tensor:
    """Convert to float32 in [0, 1]: uint8 is divided by 255, uint16 by 65535; floats are not scaled.

    Shape: any; it is kept.
    """
    if image.dtype in _MAXIMUM:
        return image.to(torch.float32).div_(_MAXIMUM[image.dtype])
    return image.to(torch.float32)


def quantize(image: Tensor, depth: int) -> Tensor:
    """Round to uint8 or uint16, for a depth of 8 or 16 bits; an image of that depth is returned as it is.

    Shape: any; it is kept. Floats are clamped to [0, 1] first.
    """
    target = _DTYPE[depth]
    if image.dtype == target:
        return image
    # Half a level is added before the cut, so that this rounds. Not every device casts float to uint16: int32 between.
    levels = to_float(image).clamp(0, 1).mul_(_MAXIMUM[target]).add_(0.5)
    return levels.to(target) if depth == 8 else levels.to(torch.int32).to(target)
