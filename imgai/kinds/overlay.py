"""The ``overlay`` kind of masks: the picture with each class tinted and outlined, for people to look at."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy import ndimage

from imgai.images import encode_png, format_of_suffix, to_pixels
from imgai.outputs.mask import Mask
from imgai.plugin import Page, Rendered
from imgai.sample import Sample

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), told apart by colour-blind people too.
_COLORS = np.array(
    [(86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)],
    dtype=np.float32,
)
_TINT = 0.5
_BAND = 256
_QUALITY = 92


def render(page: Page) -> Iterator[Rendered]:
    """A JPEG, or a PNG where the file is named so."""
    suffix = page.suffix or ".jpg"
    content = overlay(page.sample, page.output, page.params.threshold, format_of_suffix(suffix) or "JPEG")
    yield Rendered(content, suffix)


def overlay(sample: Sample, mask: Mask, threshold: float, format_: str = "JPEG") -> bytes:
    """A JPEG or PNG. Each class has a colour, or each object where the model tells objects apart."""
    given = to_pixels(sample)
    pixels = np.empty((*given.shape[:2], 3), dtype=np.uint8)
    # By bands of rows, so that no float copy of the whole picture is made.
    bands = [slice(top, top + _BAND) for top in range(0, given.shape[0], _BAND)]
    for rows in bands:
        pixels[rows] = on_paper(given[rows])
    del given
    by_object = mask.instances is not None
    thickness = max(1, round(min(pixels.shape[:2]) / 400))
    for index, (_, numbered) in enumerate(mask.objects(threshold)):
        edge = _outline(numbered, thickness)
        for rows in bands:
            part, inside = pixels[rows], numbered[rows]
            soft = mask.values[index, rows].numpy().astype(np.float32) / 255
            weight = np.where(inside > 0, np.maximum(soft, _TINT), soft if not by_object else 0.0) * _TINT
            colors = _COLORS[(inside - 1) % len(_COLORS)] if by_object else _COLORS[index % len(_COLORS)]
            tinted = part * (1 - weight[..., None]) + colors * weight[..., None]
            tinted[edge[rows]] = colors[edge[rows]] if by_object else colors
            pixels[rows] = (tinted + 0.5).astype(np.uint8)
    if format_ == "PNG":
        return encode_png(pixels, icc=profile_of(sample), dpi=sample.metadata.dpi)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=_QUALITY, icc_profile=profile_of(sample))
    return file.getvalue()


def on_paper(pixels: np.ndarray) -> np.ndarray:
    """8 bits in three channels; what is transparent is shown as on paper. Shape: ``(H, W, 3)`` uint8."""
    values = pixels.reshape(*pixels.shape[:2], -1).astype(np.float32) * (255 / np.iinfo(pixels.dtype).max)
    if values.shape[2] in (2, 4):
        alpha = values[..., -1:] / 255
        values = values[..., :-1] * alpha + 255 * (1 - alpha)
    return np.broadcast_to((values + 0.5).astype(np.uint8), (*values.shape[:2], 3))


def profile_of(sample: Sample) -> bytes | None:
    # A grey picture's profile describes one channel, and this has three.
    return None if sample.metadata.gray else sample.metadata.icc


def _outline(numbered: np.ndarray, thickness: int) -> np.ndarray:
    """The border inside of each object. Shape: ``(H, W)`` bool."""
    side = 2 * thickness + 1
    least = ndimage.minimum_filter(numbered, side, mode="nearest")
    most = ndimage.maximum_filter(numbered, side, mode="nearest")
    return np.asarray((numbered > 0) & (least != most))
