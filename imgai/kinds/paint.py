"""Shared by kinds that draw pictures: colours, a white background for transparent pixels, encoding."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from imgai.images import encode_png, metadata_of
from imgai.sample import Sample

# Okabe and Ito's colours (https://jfly.uni-koeln.de/color/), which colour-blind people can distinguish.
COLORS = np.array(
    [(86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)],
    dtype=np.float32,
)
_QUALITY = 92


def encoded(pixels: np.ndarray, sample: Sample, suffix: str) -> bytes:
    """Encode a PNG or a JPEG, by the suffix, in the colour space of the sample. Shape: ``(H, W, 3)`` uint8."""
    dpi = metadata_of(sample).dpi
    if suffix == ".png":
        return encode_png(pixels, icc=profile_of(sample), dpi=dpi)
    file = io.BytesIO()
    about: dict[str, Any] = {} if dpi is None else {"dpi": dpi}
    Image.fromarray(pixels).save(file, format="JPEG", quality=_QUALITY, icc_profile=profile_of(sample), **about)
    return file.getvalue()


def on_paper(pixels: np.ndarray, ends: tuple[float, float] | None = None) -> np.ndarray:
    """Convert to 8-bit RGB over a white background. Shape: ``(H, W, 3)`` uint8.

    ends: the values shown as black and white, as fractions of full scale; None: 0 and 1.
    """
    if ends is None and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        return pixels
    values = pixels.reshape(*pixels.shape[:2], -1).astype(np.float32) * (255 / np.iinfo(pixels.dtype).max)
    if ends is not None:
        low, high = ends
        colors = values[..., :-1] if values.shape[2] in (2, 4) else values
        colors[:] = ((colors - 255 * low) / (high - low)).clip(0, 255)
    if values.shape[2] in (2, 4):
        alpha = values[..., -1:] / 255
        values = values[..., :-1] * alpha + 255 * (1 - alpha)
    return np.broadcast_to((values + 0.5).astype(np.uint8), (*values.shape[:2], 3))


def profile_of(sample: Sample) -> bytes | None:
    # The profile of a grey picture describes one channel, but the drawing has three.
    return None if sample.metadata.gray else sample.metadata.icc
