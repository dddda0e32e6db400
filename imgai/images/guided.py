"""Upsample a mask to the size of the picture, guided by the picture's edges.

The guided filter (He, Sun and Tang, "Guided Image Filtering", ECCV 2010) in its fast form (He and Sun, "Fast Guided
Filter", 2015): around every pixel of the small picture the mask is a linear function of lightness; the coefficients are
upsampled and applied to the lightness of the large picture. Strokes of ink keep their shape, whereas joint bilateral
upsampling (imgai/images/upsample.py) makes thin strokes ragged.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.images.depth import to_float

_RADIUS = 1  # radius of the windows, in pixels of the small picture
_SMOOTH = 1e-3  # regularization: variance of lightness below which a window is flat
_BAND = 512  # rows at a time, to avoid a float copy of the whole picture


def enlarged(mask: Tensor, small: Tensor, image: Tensor) -> Tensor:
    """Upsample a mask to the size of the picture, as uint8 (255 is 1.0).

    Shape: mask ``(K, h, w)`` float in [0, 1]; small ``(3, h, w)`` float, the picture at the mask's size; image
    ``(1, 3, H, W)`` uint8, uint16 or float; returns ``(K, H, W)``.
    """
    guide, height, width = _light(small[None]), int(image.shape[-2]), int(image.shape[-1])
    values = mask[None]
    light, mean = _box(guide), _box(values)
    slope = (_box(guide * values) - light * mean) / (_box(guide * guide) - light * light + _SMOOTH)
    lines = torch.cat((slope, mean - slope * light), dim=1)
    lines = F.avg_pool2d(lines, 3, 1, 1, count_include_pad=False)  # (1, 2 K, h, w)
    result = torch.empty((mask.shape[0], height, width), dtype=torch.uint8, device=mask.device)
    down = lines.shape[-2] / height
    for top in range(0, height, _BAND):
        rows = slice(top, min(top + _BAND, height))
        # The rows of the small picture around this band, and their positions in it.
        at = ((torch.arange(rows.start, rows.stop, device=mask.device) + 0.5) * down - 0.5).clamp(
            0, lines.shape[-2] - 1
        )
        above = at.floor().long()
        part = (at - above).to(lines.dtype)[:, None]
        below = (above + 1).clamp_max(lines.shape[-2] - 1)
        between = lines[..., above, :] * (1 - part) + lines[..., below, :] * part
        between = F.interpolate(between, (between.shape[-2], width), mode="bilinear")
        slope, level = between.chunk(2, dim=1)
        answer = slope * _light(to_float(image[..., rows, :])) + level
        result[:, rows] = answer[0].clamp(0, 1).mul_(255).add_(0.5).to(torch.uint8)
    return result


def _light(image: Tensor) -> Tensor:
    """Shape: ``(1, 3, h, w)`` to ``(1, 1, h, w)``."""
    return image.mean(dim=1, keepdim=True)


def _box(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, 2 * _RADIUS + 1, 1, _RADIUS, count_include_pad=False)
