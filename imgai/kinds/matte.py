"""The alpha of a cut-out, and the colours of its edge, from a soft mask.

Networks return intermediate values even far from the edge, which would look like a ghost. Here such areas become opaque
or transparent, small parts and holes are removed, and only the edge stays soft: where the colours of subject and
background differ, a pixel's alpha follows from its colour, as in Bayesian matting (Chuang et al., CVPR 2001) with one
Gaussian each; elsewhere it is the mask with more contrast. The colours of the edge are then estimated as in Forte and
Pitié ("Approximate Fast Foreground Colour Estimation", ICIP 2021, https://arxiv.org/abs/2006.14970): local means of
subject and background, corrected so that they compose to the pixel.

Local means are computed on a small grid; single pixels are processed only where the edge is soft.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.images.resize import resize
from imgai.outputs.counting import FEW_PARTS, SPECK, UNSURE

_GRID = 384
"""The longer side of the small grid; networks that segment subjects use no more pixels."""
_SURE = 0.9
_MAIN = 0.1  # smallest part that --islands main keeps, as a fraction of the largest part
_BAND = 0.035  # half width of the undecided band along the edge, as a fraction of the subject's size (root of its area)
_WINDOW = 0.06  # half width of the window of local means, as a fraction of the same
_CONTRAST, _MIXED_CONTRAST = 5.0, 2.0  # contrast of alpha taken from the mask, and from colours
_STEEPEST = 1.0  # largest change of alpha between neighbouring pixels; more would show steps
_NEARLY = 0.15  # distance of a mask value to 0 or 1 below which colours have less and less influence
_ENDS = 0.05  # alpha closer to 0 or 1 than this becomes 0 or 1
_NOISE = 0.02  # difference of colours that is noise, squared distance in RGB
_CHUNK = 1 << 16  # pixels at a time
_OPEN, _OUTSIDE, _INSIDE, _GONE, _FILLED = range(5)
_STEPS = 8  # steps in which the bounds of certain levels in a cell of the band are quantized
_FIRST = 5  # from this index on, fates are of cells of the band
_IN_STEPS = [(low, high) for low in range(_STEPS) for high in range(_STEPS)]
_LOW = np.array((0, 242, 12, 255, 0, *((255 * low - 1) // _STEPS for low, _ in _IN_STEPS))).clip(0).astype(np.uint8)
_HIGH = np.array((255, 243, 13, 255, 0, *(255 - (255 * high - 1) // _STEPS for _, high in _IN_STEPS))).clip(0, 255)
_HIGH[_FIRST:] = np.maximum(_HIGH[_FIRST:], _LOW[_FIRST:] + 1)
_HIGH = _HIGH.astype(np.uint8)
"""For each fate of a cell the level of alpha up to which it becomes 0, and the one from which it becomes 255: in the
band, outside, inside, in a removed part, in a filled hole.

Outside, values that the model is sure of stay: they belong to structures too thin for the small grid."""


@dataclass(frozen=True, slots=True)
class Local:
    """Local statistics for each cell of the small grid.

    front, back: mean colours of the subject and of the background, ``(C, h, w)``.
    trust: how well colours separate the two, ``(1, h, w)`` in [0, 1].
    """

    front: Tensor
    back: Tensor
    trust: Tensor

    def stacked(self) -> Tensor:
        return torch.cat((self.front, self.back, self.trust))


def levelled(alpha: np.ndarray, threshold: float) -> np.ndarray:
    """Shift alpha so that the threshold becomes 0.5. Shape: ``(H, W)`` uint8, unchanged."""
    if threshold == 0.5:
        return alpha
    levels = np.arange(256) / 255
    below = levels * (0.5 / threshold) if threshold > 0 else np.ones(256)
    above = 0.5 + (levels - threshold) * (0.5 / (1 - threshold)) if threshold < 1 else (levels >= 1).astype(float)
    table = np.where(levels < threshold, below, above)
    table[0] = 0
    return np.take((table * 255 + 0.5).astype(np.uint8), alpha)


def smaller(values: Tensor) -> Tensor:
    """Resize to the small grid. Shape: ``(1, C, H, W)`` uint8, uint16 or float to ``(1, C, h, w)`` float in [0, 1]."""
    height, width = values.shape[-2:]
    factor = min(1.0, _GRID / max(height, width))
    return resize(values, (max(1, round(height * factor)), max(1, round(width * factor))))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decisions about a mask on the small grid.

    distance: signed distance to the edge, positive inside, as a fraction of the undecided band; ``(h, w)``.
    band: the width of the band, in cells.
    fate: an index into `_LOW` and `_HIGH` for each cell; ``(h, w)`` uint8.
    """

    distance: Tensor
    band: float
    fate: np.ndarray


def judge(small: Tensor, *, islands: str, min_area: float | None) -> tuple[Verdict | None, float]:
    """Decide which parts of a mask are the subject. Also returns its size (root of the area, in cells).

    small: ``(h, w)`` in [0, 1]. islands: "largest" keeps only the largest part, "main" those of at least a tenth of it.
    min_area: parts and holes smaller than this fraction of the largest part are removed; None: those under 0.01, parts
    only if the model is not sure of them. The verdict is None if the mask is empty or has too many parts.
    """
    from scipy import ndimage

    level = _steadied(small)
    inside = (level >= 0.5).numpy()
    if not inside.any():
        return None, 0.0
    numbered, count = ndimage.label(inside, np.ones((3, 3), dtype=bool))
    areas = np.bincount(numbered.ravel(), minlength=count + 1)
    areas[0] = 0
    largest = int(areas.max())
    size = math.sqrt(largest)
    if largest < FEW_PARTS * int(areas.sum()) and islands == "all" and min_area is None:
        return None, size
    least = (SPECK if min_area is None else min_area) * largest
    if islands == "largest":
        gone = np.arange(count + 1) != int(areas.argmax())
    elif islands == "main":
        gone = areas < max(least, _MAIN * largest)
    elif min_area is None:
        surest = ndimage.maximum(small.numpy(), numbered, np.arange(count + 1))
        gone = (areas < least) & (np.asarray(surest) < UNSURE)
    else:
        gone = areas < least
    gone[0] = False
    kept = inside & ~gone[numbered]
    holes, hole_count = ndimage.label(~kept)
    filled = np.bincount(holes.ravel(), minlength=hole_count + 1) < least
    edge = np.concatenate((holes[0], holes[-1], holes[:, 0], holes[:, -1]))
    filled[np.unique(edge)] = False
    filled[0] = False
    kept |= filled[holes]
    within, without = ndimage.distance_transform_edt(kept), ndimage.distance_transform_edt(~kept)
    cells = max(2.5, _BAND * size)
    distance = np.where(kept, within - 0.5, 0.5 - without) / cells
    beyond = 1 + 1.5 / cells  # a margin, because distances are interpolated between cells
    fate = np.select((distance >= beyond, distance <= -beyond), (_INSIDE, _OUTSIDE), _OPEN).astype(np.uint8)
    for there, end in ((inside & ~kept, _GONE), (kept & ~inside, _FILLED)):
        if there.any():  # and a cell around, where that is not of what stays
            fate[ndimage.binary_dilation(there, np.ones((3, 3), dtype=bool)) & (kept == (end == _FILLED))] = end
    return Verdict(torch.from_numpy(distance.astype(np.float32)), cells, fate), size


def doubt(small: Tensor) -> float:
    """Return the uncertainty of a mask relative to its area; below 0.2 for a clear subject. Shape: ``(h, w)``."""
    return float(torch.minimum(small, 1 - small).sum() / small.sum().clamp_min(1e-6))


def _steadied(small: Tensor) -> Tensor:
    """Smooth uncertain values of the mask by their surroundings, so that the edge is stable."""
    radius = max(1, round(0.008 * min(small.shape)))
    around = box_mean(box_mean(small[None], radius), radius)[0]
    return torch.lerp(small, around, 1 - (2 * small - 1).abs())


def local(colors: Tensor, small: Tensor, size: float, verdict: Verdict | None, visible: Tensor | None) -> Local:
    """Compute the local colours of subject and background.

    colors: ``(C, h, w)`` in [0, 1]. small: the mask, ``(h, w)``. size: the size of the subject, in cells. visible:
    where the picture is not transparent, ``(h, w)`` bool.
    """
    front, back = (small > _SURE), (small < 1 - _SURE)
    if verdict is not None:
        front, back = front & (verdict.distance > 0), back & (verdict.distance < 0)
    # Where no value is certain, values are weighted by their coverage.
    weights = front + 0.01 * small, back + 0.01 * (1 - small)
    wide, narrow = max(4, round(_WINDOW * size)), max(2, round(_WINDOW * size / 4))
    shown = torch.ones_like(small) if visible is None else visible.float()
    front_mean, front_spread, front_known = _moments(colors, weights[0] * shown, wide, narrow)
    back_mean, back_spread, back_known = _moments(colors, weights[1] * shown, wide, narrow)
    apart = (front_mean - back_mean).square().sum(0, keepdim=True)
    trust = apart / (apart + 2 * (front_spread + back_spread) + _NOISE)
    return Local(front_mean, back_mean, trust * (front_known & back_known))


def _moments(colors: Tensor, weight: Tensor, wide: int, narrow: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the weighted local mean and variance of the colours, and the confidence in them.

    The mean is taken over the narrow window, or over the wide one if the narrow one has too little weight.
    """
    sums = torch.cat((colors * weight, colors.square().sum(0, keepdim=True) * weight, weight[None]))
    around = _pooled_mean(sums, wide)
    share = around[-1:].clamp_min(1e-6)
    mean = around[:-2] / share
    spread = (around[-2:-1] / share - mean.square().sum(0, keepdim=True)).clamp_min(0)
    near = box_mean(sums, narrow)
    return (near[:-2] + 0.05 * mean) / (near[-1:] + 0.05), spread, around[-1:] > 0.03


def _pooled_mean(values: Tensor, radius: int) -> Tensor:
    """Return the mean over a window, on a coarser grid for wide windows. Shape: ``(C, h, w)``, unchanged."""
    step = max(1, min(radius // 4, *values.shape[-2:]))
    if step == 1:
        return box_mean(values, radius)
    pooled = F.avg_pool2d(values[None], step, ceil_mode=True, count_include_pad=False)[0]
    return F.interpolate(box_mean(pooled, radius // step)[None], values.shape[-2:], mode="bilinear")[0]


def foreseen(verdict: Verdict, trust: Tensor) -> Verdict:
    """Mark cells of the band in which `refine` would set alpha to 0 or 1 anyway, so that it can skip them.

    trust: as in `Local`, ``(1, h, w)``.
    """
    distance = verdict.distance[None]
    # A pixel lies between cells, so that neighbouring cells count too.
    most, least, trusted = (F.max_pool2d(each, 3, 1, 1)[0] for each in (distance, -distance, trust))
    steep = 1 + trusted / _NEARLY
    low, high = ((_ENDS - 0.5 * each) / steep for each in (most, least))
    step = [(each * _STEPS - 1 / 32).floor().clamp(0, _STEPS - 1) for each in (low, high)]
    fate = (_FIRST + step[0] * _STEPS + step[1]).numpy().astype(np.uint8)
    return Verdict(verdict.distance, verdict.band, np.where(verdict.fate == _OPEN, fate, verdict.fate))


def box_mean(values: Tensor, radius: int) -> Tensor:
    """Return the mean over a square window of side ``2 * radius + 1`` (separable). Shape: ``(C, h, w)``, unchanged."""
    if radius > _WIDE:
        return _running_mean(_running_mean(values, radius, 1), radius, 2)
    side = 2 * radius + 1
    down = F.avg_pool2d(values[None], (side, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, side), 1, (0, radius), count_include_pad=False)[0]


_WIDE = 7
"""The radius above which differences of running sums are faster than sums."""


def _running_mean(values: Tensor, radius: int, axis: int) -> Tensor:
    count = values.shape[axis]
    sums = np.zeros([each + (number == axis) for number, each in enumerate(values.shape)])  # float64, to lose nothing
    np.cumsum(values.numpy(), axis=axis, out=sums[:, 1:] if axis == 1 else sums[..., 1:])
    first, last = np.maximum(np.arange(count) - radius, 0), np.minimum(np.arange(count) + radius + 1, count)
    mean = (sums.take(last, axis) - sums.take(first, axis)) / (last - first).reshape((-1, 1) if axis == 1 else -1)
    return torch.from_numpy(mean.astype(np.float32))


def settle(alpha: np.ndarray, verdict: Verdict) -> None:
    """Set alpha outside of the band and in removed parts, in place. Shape: alpha ``(H, W)`` uint8."""
    height, width = alpha.shape
    h, w = verdict.fate.shape
    columns = (np.arange(width) * w) // width
    low, high = (bounds[verdict.fate][:, columns] for bounds in (_LOW, _HIGH))
    gone = verdict.fate == _GONE
    for row in range(h):
        band = alpha[-(-row * height // h) : -(-(row + 1) * height // h)]  # the pixels of a row of cells
        # Integers of 8 bits alone, which a processor takes many at a time; -1 is all bits.
        stays, full = (band > low[row]).view(np.uint8), (band >= high[row]).view(np.uint8)
        band &= np.negative(stays, out=stays)
        band |= np.negative(full, out=full)
        if gone[row].any():
            band[:, gone[row][columns]] = 0


def soft_places(alpha: np.ndarray) -> np.ndarray:
    """Return the flat indices of pixels that are neither 0 nor 255."""
    return np.flatnonzero((alpha - np.uint8(1)) < np.uint8(254))


def refine(alpha: np.ndarray, around: Local, verdict: Verdict | None, result: np.ndarray, places: np.ndarray) -> None:
    """Set alpha and the colours of every soft pixel of the result, in place.

    Shape: alpha ``(H, W)`` uint8; result ``(H, W, C + 1)``, uint8 or uint16. The result already has the colours of the
    picture and this alpha. places: the result of `soft_places`. Without a verdict only colours are set, not alpha.
    """
    width, channels = alpha.shape[1], result.shape[2] - 1
    white = int(np.iinfo(result.dtype).max)
    maps = around.stacked()
    if verdict is not None:
        maps = torch.cat((maps, verdict.distance[None].clamp(-2, 2)))
        push = 0.5 / (verdict.band * max(alpha.shape) / max(verdict.fate.shape))  # of a pixel nearer to the middle
    flat_alpha = alpha.reshape(-1)
    # Pixels are read and written as single integers, which is several times as fast as by channel.
    whole = result.view(f"u{result.itemsize * result.shape[2]}").reshape(-1)
    for begin in range(0, len(places), _CHUNK):
        chunk = places[begin : begin + _CHUNK]
        here = sampled(maps, chunk, alpha.shape)
        pixels = whole[chunk].view(result.dtype).reshape(len(chunk), channels + 1)
        shown = _planes(pixels, channels, float(white))
        front, back = here[:channels], here[channels : 2 * channels]
        cover = torch.from_numpy(flat_alpha[chunk]).float().div_(255)
        if verdict is not None:
            contrast = _slope(flat_alpha, chunk, width).add_(push).reciprocal_().mul_(_STEEPEST).clamp_(1, _CONTRAST)
            cover = _opened(cover, shown, front, back, here[2 * channels], here[-1], contrast)
            covers = cover.mul(255).add_(0.5).to(torch.uint8).numpy()
            pixels[:, -1] = covers if white == 255 else covers.astype(np.uint16) * 257
        # front + cover * (shown - cover * front - (1 - cover) * back)
        clean = torch.addcmul(shown.sub(back), cover, front - back, value=-1).mul_(cover).add_(front).clamp_(0, 1)
        levels = clean.mul_(white).add_(0.5).numpy().astype(result.dtype)
        if verdict is None:
            pixels[:, :-1] = levels.T
            whole[chunk] = pixels.view(whole.dtype)[:, 0]
            continue
        # Opaque pixels keep their colours; transparent pixels have none.
        opaque = (cover == 1).numpy()
        for channel in range(channels):
            pixels[:, channel] = np.where(opaque, pixels[:, channel], levels[channel])
        whole[chunk] = pixels.view(whole.dtype)[:, 0] * (pixels[:, -1] > 0)


def sampled(maps: Tensor, places: np.ndarray, size: tuple[int, ...]) -> Tensor:
    """Sample maps of the small grid at pixels, bilinear. Shape: maps ``(C, h, w)``, places ``(N,)`` to ``(C, N)``."""
    height, width = size
    y = places // width
    x = places - y * width
    grid = np.empty((len(places), 2), dtype=np.float32)
    np.multiply(x, 2 / width, out=grid[:, 0], casting="unsafe")
    np.multiply(y, 2 / height, out=grid[:, 1], casting="unsafe")
    grid += np.array((1 / width - 1, 1 / height - 1), dtype=np.float32)
    where = torch.from_numpy(grid)[None, None]
    return F.grid_sample(maps[None], where, padding_mode="border", align_corners=False)[0, :, 0]


def _planes(pixels: np.ndarray, channels: int, white: float) -> Tensor:
    """Return the colours of pixels as planes. Shape: ``(N, C + 1)`` to ``(C, N)`` in [0, 1]."""
    planes = np.empty((channels, len(pixels)), dtype=np.float32)
    for channel in range(channels):
        planes[channel] = pixels[:, channel]
    return torch.from_numpy(planes).div_(white)


def _opened(
    cover: Tensor, shown: Tensor, front: Tensor, back: Tensor, trust: Tensor, distance: Tensor, contrast: Tensor
) -> Tensor:
    """Compute alpha of N pixels within the band. Shape: colours ``(C, N)``, everything else ``(N,)``."""
    sharp = _contrasted(torch.add(cover, distance, alpha=0.5), contrast)
    apart = front - back
    mixed = (shown - back).mul_(apart).sum(0).div_(apart.square_().sum(0).clamp_min_(1e-4))
    # Where the model is nearly certain, colours have no influence: texture would cause specks.
    trust = torch.minimum(cover, 1 - cover).div_(_NEARLY).clamp_(max=1).mul_(trust)
    alpha = torch.lerp(sharp, _contrasted(mixed, _MIXED_CONTRAST), trust)
    # Towards the end of the band, blend into the decided values beyond it.
    least, most = (distance - 0.6).div_(0.4), (distance + 1).div_(0.4)
    alpha = torch.minimum(torch.maximum(alpha, least, out=alpha), most, out=alpha).clamp_(0, 1)
    alpha[alpha < _ENDS] = 0
    alpha[alpha > 1 - _ENDS] = 1
    return alpha


def _contrasted(alpha: Tensor, factor: Tensor | float) -> Tensor:
    return ((alpha - 0.5) * factor + 0.5).clamp_(0, 1)


def _slope(alpha: np.ndarray, places: np.ndarray, width: int) -> Tensor:
    """Return the change of alpha between neighbouring pixels. Shape: alpha flat uint8, places ``(N,)`` to ``(N,)``."""

    def change(step: int) -> Tensor:
        after, before = alpha.take(places + step, mode="clip"), alpha.take(places - step, mode="clip")
        return torch.from_numpy(after).float().sub_(torch.from_numpy(before)).square_()

    return change(1).add_(change(width)).sqrt_().div_(2 * 255)
