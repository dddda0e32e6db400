"""The ``cutout`` kind: the picture with the mask as its alpha, its edge colours cleaned of the background.

The colours are estimated as Forte and Pitié do ("Approximate Fast Foreground Colour Estimation",
ICIP 2021, https://arxiv.org/abs/2006.14970): blurred means of the foreground and of the background,
weighted by alpha, corrected to what the picture shows; first over a wide window, then over a narrow one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.images import encode_png, metadata_of, to_pixels
from imgai.images.depth import to_float
from imgai.outputs.mask import Mask
from imgai.plugin import Page, Rendered
from imgai.sample import Sample

_WIDE = 16  # the wide window is this many pixels, 11 times over: about the 180 of the paper
_NARROW = 6  # half the narrow window, in pixels
_CELL = 512
_SURE = 1e-5


def render(page: Page) -> Iterator[Rendered]:
    """A PNG with alpha, in the picture's depth. Several classes are cut out together."""
    pixels = cutout_pixels(page.sample, page.output)
    metadata = metadata_of(page.sample)
    content = encode_png(
        pixels,
        icc=metadata.icc,
        exif=metadata.exif,
        xmp=metadata.xmp,
        dpi=metadata.dpi,
        texts=metadata.texts,
    )
    yield Rendered(content, ".png")


def cutout_pixels(sample: Sample, mask: Mask) -> np.ndarray:
    """The picture with its alpha times the mask.

    Shape: ``(H, W, 4)``, or ``(H, W, 2)`` for a grey picture; uint8 or uint16."""
    alpha = mask.values[: len(mask.labels)].amax(dim=0)
    pixels = to_pixels(sample)
    white = np.iinfo(pixels.dtype).max
    cover = alpha.numpy().astype(np.float32) / 255
    if sample.alpha is not None:
        own = pixels[..., -1]
        pixels = pixels[..., :-1]
        cover = cover * (own.astype(np.float32) / white)
    colors = pixels[..., None] if pixels.ndim == 2 else pixels
    result = np.zeros((*colors.shape[:2], colors.shape[2] + 1), dtype=colors.dtype)
    result[..., -1] = (cover * white + 0.5).astype(colors.dtype)
    np.copyto(result[..., :-1], colors, where=(cover > 0)[..., None])
    _clean_edges(result, colors, torch.from_numpy(cover), white)
    return result


def _clean_edges(result: np.ndarray, colors: np.ndarray, alpha: Tensor, white: int) -> None:
    """Estimate the foreground in every cell that holds a soft edge; the rest is as it was."""
    height, width = alpha.shape
    wide: tuple[Tensor, Tensor] | None = None
    for top in range(0, height, _CELL):
        for left in range(0, width, _CELL):
            inner = np.s_[top : min(top + _CELL, height), left : min(left + _CELL, width)]
            part = alpha[inner]
            soft = (part > 0) & (part < 1)
            if not bool(soft.any()):
                continue
            if wide is None:
                wide = _wide_means(colors, alpha)
            # A margin, so that the narrow window sees past the cell.
            y, x = max(0, top - _NARROW), max(0, left - _NARROW)
            outer = np.s_[y : min(inner[0].stop + _NARROW, height), x : min(inner[1].stop + _NARROW, width)]
            image = to_float(torch.from_numpy(np.ascontiguousarray(colors[outer])).permute(2, 0, 1))
            cover = alpha[outer][None]
            front = _sampled(wide[0], outer, (height, width))
            back = _sampled(wide[1], outer, (height, width))
            front, back = _corrected(image, cover, front, back)
            front = _mean(front * cover, _NARROW) / _mean(cover, _NARROW).clamp_min(_SURE)
            back = _mean(back * (1 - cover), _NARROW) / _mean(1 - cover, _NARROW).clamp_min(_SURE)
            front, _ = _corrected(image, cover, front, back)
            inside = front[:, top - y : top - y + part.shape[0], left - x : left - x + part.shape[1]]
            values = (inside.permute(1, 2, 0).numpy() * white + 0.5).astype(colors.dtype)
            np.copyto(result[inner][..., :-1], values, where=soft.numpy()[..., None])


def _corrected(image: Tensor, alpha: Tensor, front: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
    """The foreground moved so that, laid over the background, it gives the picture. Shape: ``(C, h, w)``."""
    moved = front + alpha * (image - alpha * front - (1 - alpha) * back)
    return moved.clamp(0, 1), back


def _wide_means(colors: np.ndarray, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Foreground and background means over a wide window, at 1/16 of the size. Shape: ``(C, h / 16, w / 16)``."""
    image = torch.from_numpy(np.ascontiguousarray(colors)).permute(2, 0, 1)
    fronts, backs, covers = [], [], []
    # By bands, so that no float copy of the whole picture is made.
    band = _WIDE * 64
    for top in range(0, alpha.shape[0], band):
        part, cover = to_float(image[:, top : top + band]), alpha[None, top : top + band]
        fronts.append(_pooled(part * cover))
        backs.append(_pooled(part * (1 - cover)))
        covers.append(_pooled(cover))
    front, back, cover = torch.cat(fronts, 1), torch.cat(backs, 1), torch.cat(covers, 1)
    front_mean = _mean(front, 5) / _mean(cover, 5).clamp_min(_SURE)
    back_mean = _mean(back, 5) / _mean(1 - cover, 5).clamp_min(_SURE)
    return front_mean, back_mean


def _pooled(values: Tensor) -> Tensor:
    return F.avg_pool2d(values[None], _WIDE, ceil_mode=True, count_include_pad=False)[0]


def _mean(values: Tensor, radius: int) -> Tensor:
    """Mean over a window of ``2 * radius + 1``. Shape: ``(C, h, w)``, kept."""
    return F.avg_pool2d(values[None], 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)[0]


def _sampled(small: Tensor, window: tuple[slice, slice], size: tuple[int, int]) -> Tensor:
    """The nearest values of the 1/16 grid at every pixel of a window. Shape: ``(C, h, w)``."""
    rows = torch.arange(window[0].start, window[0].stop).div(_WIDE, rounding_mode="floor")
    columns = torch.arange(window[1].start, window[1].stop).div(_WIDE, rounding_mode="floor")
    return small[:, rows[:, None], columns[None, :]]
