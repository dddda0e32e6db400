"""Bring a mask to the size of its picture, with edges that follow the picture.

The fast guided filter (He and Sun 2015, https://arxiv.org/abs/1505.00996): at the network's
resolution, fit in every window the mask as a line of the picture's lightness, ``a * lightness + b``;
then apply the lines, interpolated, to the picture at its own resolution.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.resize import to_float

RADIUS = 2
"""Half the side of the window, in pixels of the network's resolution."""
EPSILON = 1e-3
"""How much lightness must vary (variance, [0, 1] squared) for the mask to follow it."""
_FLAT = 0.02  # what is this near to 0 or 1 counts as decided, so that most of a picture needs no filter
_CELL = 192  # pixels: small enough for the cache, large enough to be worth a call
_LIGHTNESS = (0.299, 0.587, 0.114)  # ITU-R BT.601


def upsample(mask: Tensor, small: Tensor, image: Tensor) -> Tensor:
    """The mask at the image's size, as uint8 (255 is 1.0), on the image's device.

    Where the mask is decided all around (under 0.02 or over 0.98) it stays 0 or 255 exactly.

    Shape: mask ``(K, h, w)`` float in [0, 1]; small ``(3, h, w)`` float, the image at the mask's
    size; image ``(1, 3, H, W)`` uint8, uint16 or float; returns ``(K, H, W)``.
    """
    height, width = image.shape[-2:]
    decided = torch.where(mask < _FLAT, 0.0, torch.where(mask > 1 - _FLAT, 1.0, mask))
    if tuple(mask.shape[-2:]) == (height, width):
        return _to_uint8(decided)
    slope, offset = _fit(decided, _lightness(small.permute(1, 2, 0)))
    lines = torch.stack((slope, offset), dim=1)  # (K, 2, h, w)
    result = torch.empty((mask.shape[0], height, width), dtype=torch.uint8, device=image.device)
    for top in range(0, height, _CELL):
        rows = slice(top, min(top + _CELL, height))
        above, below, down = _neighbours(rows, height, mask.shape[-2], mask.device)
        for left in range(0, width, _CELL):
            columns = slice(left, min(left + _CELL, width))
            before, after, across = _neighbours(columns, width, mask.shape[-1], mask.device)
            cell = lines[..., int(above[0]) : int(below[-1]) + 1, int(before[0]) : int(after[-1]) + 1]
            target = result[:, rows, columns]
            low, high = cell.amin((0, 2, 3)), cell.amax((0, 2, 3))
            if low[0] == high[0] == 0 and low[1] == high[1]:
                target.fill_(int(low[1] * 255 + 0.5))
                continue
            # (K, 2, h, w) -> (K, 2, h, columns) -> (K, 2, rows, columns)
            first, second = before - before[0], after - before[0]
            wide = torch.lerp(cell[..., first], cell[..., second], across)
            first, second = above - above[0], below - above[0]
            line = torch.lerp(wide[..., first, :], wide[..., second, :], down[:, None])
            lightness = _lightness(to_float(image[0, :, rows, columns].permute(1, 2, 0)))
            target.copy_(_to_uint8(torch.addcmul(line[:, 1], line[:, 0], lightness)))
    return result


def _fit(mask: Tensor, lightness: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes and offsets of the lines, averaged over the windows that hold a pixel. Shape: ``(K, h, w)`` each."""
    mean_light = _box(lightness[None])
    variance = _box(lightness[None] ** 2) - mean_light**2
    mean_mask = _box(mask)
    covariance = _box(mask * lightness) - mean_mask * mean_light
    slope = covariance / (variance.clamp_min(0) + EPSILON)
    # In a window where the mask is one value the covariance is rounding alone; say zero, so that the
    # offset is that value to the last bit and whole cells can be filled.
    one_value = _extreme(mask) == -_extreme(-mask)
    slope = torch.where(one_value, 0.0, slope)
    offset = torch.where(one_value, mask, mean_mask - slope * mean_light)
    flat = _extreme(one_value.logical_not().to(mask.dtype)) == 0
    return torch.where(flat, slope, _box(slope)), torch.where(flat, offset, _box(offset))


def _box(values: Tensor) -> Tensor:
    """Mean over the window, of what is inside the picture. Shape: ``(K, h, w)``."""
    side = 2 * RADIUS + 1
    return F.avg_pool2d(values[None], side, stride=1, padding=RADIUS, count_include_pad=False)[0]


def _extreme(values: Tensor) -> Tensor:
    """The largest value in the window. Shape: ``(K, h, w)``."""
    return F.max_pool2d(values[None], 2 * RADIUS + 1, stride=1, padding=RADIUS)[0]


def _lightness(pixels: Tensor) -> Tensor:
    """Shape: ``(H, W, 3)`` to ``(H, W)``."""
    return pixels @ pixels.new_tensor(_LIGHTNESS)


def _neighbours(span: slice, size: int, small: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """For each pixel of a span, the two pixels of the small grid beside its centre, and how far between."""
    centres = (torch.arange(span.start, span.stop, device=device) + 0.5) * (small / size) - 0.5
    centres = centres.clamp_(0, small - 1)
    first = centres.floor().long()
    second = (first + 1).clamp_max(small - 1)
    return first, second, (centres - first).to(torch.float32)


def _to_uint8(values: Tensor) -> Tensor:
    return values.clamp(0, 1).mul_(255).add_(0.5).to(torch.uint8)
