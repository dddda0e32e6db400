"""A smooth fill of holes, to which the network adds detail.

Pull and push (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.3; a normalised convolution, Knutsson and
Westin 1993): known pixels are averaged into ever coarser pictures until every hole is closed, and holes are then filled
from the next coarser picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 8
"""Coarser pictures: a hole of 2 ** LEVELS pixels across is closed at the last."""
_LEAST = 1e-6


def smooth_fill(image: Tensor, mask: Tensor) -> Tensor:
    """Fill holes smoothly from their surroundings; other pixels are unchanged.

    Shape: ``(B, C, h, w)`` and ``(B, 1, h, w)``, 1 in holes and 0 outside, to ``(B, C, h, w)``

    A picture that is all hole becomes middle grey.
    """
    known = 1 - mask
    colors, weights = [image * known], [known]
    for _ in range(LEVELS):
        if min(image.shape[-2:]) >> len(weights) == 0:
            break
        colors.append(F.avg_pool2d(colors[-1], 2, ceil_mode=True))
        weights.append(F.avg_pool2d(weights[-1], 2, ceil_mode=True))
    total, weight = colors[-1].mean((2, 3), keepdim=True), weights[-1].mean((2, 3), keepdim=True)
    filled = torch.where(weight > _LEAST, total / weight.clamp(min=_LEAST), torch.full_like(total, 0.5))
    filled = filled.expand_as(colors[-1])
    for color, weight in zip(reversed(colors), reversed(weights), strict=True):
        if filled.shape[-2:] != color.shape[-2:]:
            filled = F.interpolate(filled, color.shape[-2:], mode="bilinear", align_corners=False)
        # A cell of which half is known is as good as one that is known whole; below that the coarser one takes part.
        share = (2 * weight).clamp(max=1)
        filled = share * color / weight.clamp(min=_LEAST) + (1 - share) * filled
    return filled
