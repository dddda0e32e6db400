"""Small 8-bit sRGB views of a sample for the screen."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from imgai.images.color import to_srgb
from imgai.images.depth import quantize
from imgai.images.resize import resize
from imgai.sample import Sample


def shrunk(sample: Sample, longest: int) -> Image.Image:
    """Return the sample with a longer side of at most `longest` pixels; RGB, or RGBA if it has alpha."""
    factor = min(1.0, longest / max(sample.height, sample.width))
    size = max(1, round(sample.height * factor)), max(1, round(sample.width * factor))
    return _view(sample, resize(sample.image, size), None if sample.alpha is None else resize(sample.alpha, size))


def part(sample: Sample, middle: tuple[float, float], side: int) -> Image.Image:
    """Return a square crop at full resolution, clipped at the edges. middle: y and x as fractions of the sides."""
    spans = []
    for place, length in zip(middle, (sample.height, sample.width), strict=True):
        begin = max(0, min(length - side, round(place * length - side / 2)))
        spans.append(slice(begin, begin + side))
    rows, columns = spans
    alpha = None if sample.alpha is None else sample.alpha[..., rows, columns]
    return _view(sample, sample.image[..., rows, columns], alpha)


def busiest(image: Image.Image, side: float) -> tuple[float, float]:
    """Return the centre (y, x as fractions) of the square with the most detail. side: its side, as a fraction."""
    grey = np.asarray(image.convert("L"), np.float32)
    change = np.abs(np.diff(grey, axis=0))[:, :-1] + np.abs(np.diff(grey, axis=1))[:-1] if min(grey.shape) > 1 else grey
    # The square root gives texture more weight compared with a few strong edges.
    sums = np.pad(np.sqrt(change), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    height, width = change.shape
    tall, wide = (max(1, min(length, round(side * max(height, width)))) for length in (height, width))
    totals = sums[tall:, wide:] - sums[:-tall, wide:] - sums[tall:, :-wide] + sums[:-tall, :-wide]
    top, left = np.unravel_index(int(totals.argmax()), totals.shape)
    return (float(top) + tall / 2) / height, (float(left) + wide / 2) / width


def _view(sample: Sample, image: Tensor, alpha: Tensor | None) -> Image.Image:
    pixels = quantize(image[0], 8).permute(1, 2, 0).contiguous().numpy()
    view = to_srgb(Image.fromarray(pixels), None if sample.metadata.gray else sample.metadata.icc)
    if alpha is not None and int((levels := quantize(alpha[0, 0], 8)).min()) < 255:
        view.putalpha(Image.fromarray(levels.to(torch.uint8).contiguous().numpy()))
    return view
