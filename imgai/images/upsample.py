"""Upsample a mask to the size of its picture, with edges guided by the picture.

Joint bilateral upsampling (Kopf et al., "Joint Bilateral Upsampling", SIGGRAPH 2007) over the support of bilinear
interpolation: each pixel is the mean of the four values around it, weighted by distance and by colour similarity. Where
the four values are nearly equal, plain interpolation is used. On masks of people and objects, downscaled to the size of
a network, the error is smaller than with bilinear interpolation, and that of the guided filter is larger:
benchmarks/edges.py measures the three.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.images.depth import to_float

ALIKE = 0.1
"""Standard deviation of the colour weight, distance in RGB."""
_ANYWAY = 0.02  # minimum colour weight, so that a pixel unlike all its neighbours gets their mean
_DECIDED = 0.02  # values closer to 0 or 1 than this become 0 or 1
_EDGE = 0.1  # if the four values differ by less, there is no edge, and plain interpolation is used
_CHUNK = 1 << 16  # pixels at a time, small enough for the cache


def upsample(mask: Tensor, small: Tensor, image: Tensor) -> Tensor:
    """Upsample a mask to the size of the image, as uint8 (255 is 1.0), on the image's device.

    Where all values are certain (below 0.02 or above 0.98), the result is exactly 0 or 255.

    Shape: mask ``(K, h, w)`` float in [0, 1]; small ``(3, h, w)`` float, the image at the mask's
    size; image ``(1, 3, H, W)`` uint8, uint16 or float; returns ``(K, H, W)``.
    """
    height, width = (int(side) for side in image.shape[-2:])
    h, w = (int(side) for side in mask.shape[-2:])
    mask = torch.where(mask < _DECIDED, 0.0, torch.where(mask > 1 - _DECIDED, 1.0, mask))
    if height <= h and width <= w:
        return _to_uint8(F.interpolate(mask[None], (height, width), mode="bilinear", antialias=True)[0])
    rows, columns = _centres(height, h, image.device), _centres(width, w, image.device)
    row, column = rows.long(), columns.long()
    result = F.interpolate(_to_uint8(mask)[None], (height, width), mode="bilinear")[0]
    differing = (_most_of_four(mask) + _most_of_four(-mask)).amax(dim=0) > _EDGE
    places = differing[row[:, None], column[None, :]].flatten().nonzero()[:, 0]
    pixels = image[0].permute(1, 2, 0).reshape(-1, 3) if image.stride(1) == 1 else image[0].flatten(1).T
    flat = result.view(len(mask), -1)
    values = torch.cat((small, mask)).flatten(1).T.contiguous()  # (h * w, 3 + K): one gather for both
    for chunk in torch.split(places, _CHUNK):
        y, x = chunk.div(width, rounding_mode="floor"), chunk.remainder(width)
        color = to_float(pixels[chunk])
        flat[:, chunk] = _to_uint8(_blended(rows[y], columns[x], color, values, (h, w)).T)
    return result


def _blended(y: Tensor, x: Tensor, color: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    """Compute the weighted means for N pixels.

    Shape: y, x ``(N,)``, the positions of the pixels on the small grid; color ``(N, 3)``; values
    ``(h * w, 3 + K)``; returns ``(N, K)``.
    """
    h, w = size
    above, before = y.floor(), x.floor()
    down, across = y - above, x - before
    total = color.new_zeros(len(color), values.shape[1] - 3)
    weights = color.new_zeros(len(color), 1)
    for at_y, near_y in ((above, 1 - down), ((above + 1).clamp_max(h - 1), down)):
        for at_x, near_x in ((before, 1 - across), ((before + 1).clamp_max(w - 1), across)):
            there = values[(at_y * w + at_x).long()]
            unlike = (color - there[:, :3]).square_().sum(dim=1)
            alike = unlike.mul_(-0.5 / ALIKE**2).exp_().add_(_ANYWAY)
            weight = alike.mul_(near_y).mul_(near_x)[:, None]
            total.addcmul_(there[:, 3:], weight)
            weights += weight
    return total.div_(weights)


def _centres(size: int, small: int, device: torch.device) -> Tensor:
    """Return the positions of pixel centres on the small grid, as in bilinear interpolation."""
    return ((torch.arange(size, device=device) + 0.5) * (small / size) - 0.5).clamp_(0, small - 1)


def _most_of_four(values: Tensor) -> Tensor:
    """Return the maximum over each 2 x 2 window. Shape: ``(K, h, w)``."""
    padded = F.pad(values[None], (0, 1, 0, 1), mode="replicate")
    return F.max_pool2d(padded, 2, stride=1)[0]


def _to_uint8(values: Tensor) -> Tensor:
    return values.clamp(0, 1).mul_(255).add_(0.5).to(torch.uint8)
