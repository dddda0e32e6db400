"""Convert any Pillow mode to RGB or grey pixels, with or without alpha."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms


def to_pixels(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, bytes | None]:
    """Return pixels, alpha and their ICC profile.

    CMYK and Lab are converted to sRGB, through the file's profile if it has one; other pictures keep their values and
    profile.

    Shape: pixels ``(H, W)`` for grey or ``(H, W, 3)``, uint8 or uint16; alpha ``(H, W)`` or None.
    """
    icc: bytes | None = image.info.get("icc_profile") or None
    if image.mode in ("CMYK", "LAB"):
        return np.array(to_srgb(image, icc)), None, None
    if image.mode.startswith("I;16"):
        return np.array(image).astype(np.uint16), None, icc
    if image.mode in ("I", "F"):
        values = np.array(image)
        return scaled(values, extent(values)), None, icc
    if image.mode == "1":
        return np.array(image.convert("L")), None, icc
    transparent = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa")
    gray = image.mode in ("L", "LA", "La")
    wanted = ("LA" if gray else "RGBA") if transparent else ("L" if gray else "RGB")
    pixels = np.array(image if image.mode == wanted else image.convert(wanted))
    if not transparent:
        return pixels, None, icc
    return np.ascontiguousarray(pixels[..., 0] if gray else pixels[..., :3]), np.ascontiguousarray(pixels[..., -1]), icc


def extent(values: np.ndarray) -> tuple[float, float] | None:
    """Return the smallest and the largest finite number; None if there is none."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return (float(finite.min()), float(finite.max())) if finite.size else None


def keeps_values(dtype: np.dtype[Any]) -> bool:
    """Whether numbers of this type are used as pixels without scaling."""
    return dtype in (np.uint8, np.uint16, np.bool_)


def scale_of(dtype: np.dtype[Any], ends: tuple[float, float] | None) -> tuple[float, float]:
    """Return the numbers that map to 0 and full scale for numbers of that type; see `scaled`."""
    if keeps_values(dtype):
        return 0.0, float(1 if dtype == np.bool_ else np.iinfo(dtype).max)
    low, high = ends or (0.0, 1.0)
    if np.issubdtype(dtype, np.integer) and low >= 0 and high <= 65535:
        return 0.0, 65535.0
    if np.issubdtype(dtype, np.floating) and low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high


def scaled(values: np.ndarray, ends: tuple[float, float] | None) -> np.ndarray:
    """Convert numbers of any type to uint8 or uint16.

    Integers that fit in 16 bits and floats in [0, 1] keep their values; other numbers (detector counts, elevations) are
    stretched from `ends` (see `extent`) to full scale. NaN becomes the smallest value.
    """
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * 255
    low, high = scale_of(values.dtype, ends)
    if np.issubdtype(values.dtype, np.integer) and (low, high) == (0.0, 65535.0):
        return values.astype(np.uint16)
    share = (np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low) - low) / max(high - low, 1e-300)
    return np.asarray(share.clip(0, 1) * 65535 + 0.5).astype(np.uint16)


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    srgb = ImageCms.createProfile("sRGB")
    if image.mode == "LAB":
        return _through(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), srgb) or image.convert("RGB")
    if icc:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        except OSError:  # an unreadable profile is ignored
            own = None
        if own is not None and (converted := _through(image, own, srgb)) is not None:
            return converted
    return image.convert("RGB")


def _through(image: Image.Image, own: ImageCms.ImageCmsProfile, target: Any) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(image, own, ImageCms.ImageCmsProfile(target), outputMode="RGB")
    except ImageCms.PyCMSError:  # the profile is for a different colour space than the picture's
        return None
