"""An overlay: the picture with what was found tinted and outlined, for people to look at."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from imgai.images import to_pixels
from imgai.outputs.instances import instances
from imgai.sample import Mask, Sample

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), told apart by colour-blind people too.
_COLORS = np.array(
    [(86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)],
    dtype=np.float32,
)
_TINT = 0.5
_QUALITY = 92


def overlay(sample: Sample, mask: Mask, threshold: float) -> bytes:
    """A JPEG. Each class has a colour; each object, where the model tells objects apart."""
    pixels = _rgb(sample)
    by_object = mask.predictor.instances is not None
    thickness = max(1, round(min(pixels.shape[:2]) / 400))
    for index, (_, numbered) in enumerate(instances(mask, threshold)):
        soft = np.minimum(1.0, mask.values[index].numpy().astype(np.float32) / 255)
        weight = np.where(numbered > 0, np.maximum(soft, _TINT), soft if not by_object else 0.0) * _TINT
        colors = _COLORS[(numbered - 1) % len(_COLORS)] if by_object else _COLORS[index % len(_COLORS)]
        pixels = pixels * (1 - weight[..., None]) + colors * weight[..., None]
        edge = _outline(numbered, thickness)
        solid = colors[edge] if by_object else colors
        pixels[edge] = solid
    return _jpeg((pixels + 0.5).astype(np.uint8), sample)


def _rgb(sample: Sample) -> np.ndarray:
    pixels = to_pixels(sample)
    if pixels.dtype == np.uint16:
        pixels = pixels / 257
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels in (2, 4):
        # What is transparent is shown as on paper.
        alpha = pixels[..., -1:].astype(np.float32) / 255
        pixels = pixels[..., :-1] * alpha + 255 * (1 - alpha)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    return np.asarray(pixels, dtype=np.float32)


def _outline(numbered: np.ndarray, thickness: int) -> np.ndarray:
    """The border inside of each object. Shape: ``(H, W)`` bool."""
    side = 2 * thickness + 1
    least = ndimage.minimum_filter(numbered, side, mode="nearest")
    most = ndimage.maximum_filter(numbered, side, mode="nearest")
    return np.asarray((numbered > 0) & (least != most))


def _jpeg(pixels: np.ndarray, sample: Sample) -> bytes:
    file = io.BytesIO()
    # A grey picture's profile describes one channel, and this has three.
    icc = None if sample.metadata.gray else sample.metadata.icc
    Image.fromarray(pixels).save(file, format="JPEG", quality=_QUALITY, icc_profile=icc)
    return file.getvalue()
