"""Any of Pillow's modes as RGB or grey pixels, with or without alpha."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms


def to_pixels(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None, bytes | None]:
    """Pixels, alpha and the ICC profile that they are in.

    CMYK and Lab are brought to sRGB, through the file's own profile where it has one; every other
    picture keeps its values and its profile.

    Shape: pixels ``(H, W)`` for grey or ``(H, W, 3)``, uint8 or uint16; alpha ``(H, W)`` or None.
    """
    icc: bytes | None = image.info.get("icc_profile") or None
    if image.mode in ("CMYK", "LAB"):
        return np.array(_to_srgb(image, icc)), None, None
    if image.mode.startswith("I;16"):
        return np.array(image).astype(np.uint16), None, icc
    if image.mode in ("I", "F"):
        return scaled(np.array(image)), None, icc
    if image.mode == "1":
        return np.array(image.convert("L")), None, icc
    transparent = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "La", "RGBa")
    gray = image.mode in ("L", "LA", "La")
    wanted = ("LA" if gray else "RGBA") if transparent else ("L" if gray else "RGB")
    pixels = np.array(image if image.mode == wanted else image.convert(wanted))
    if not transparent:
        return pixels, None, icc
    return np.ascontiguousarray(pixels[..., 0] if gray else pixels[..., :3]), np.ascontiguousarray(pixels[..., -1]), icc


def scaled(values: np.ndarray) -> np.ndarray:
    """Numbers of any type as uint8 or uint16.

    Integers that fit in 16 bits and floats in [0, 1] keep their values; anything else (counts of a
    detector, elevations) is stretched from its least to its greatest.
    """
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * 255
    finite = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    low, high = float(finite.min(initial=0)), float(finite.max(initial=0))
    if np.issubdtype(values.dtype, np.integer) and low >= 0 and high <= 65535:
        return values.astype(np.uint16)
    if low < 0 or high > 1:
        low = float(finite.min())
        finite = (finite - low) / max(high - low, 1e-12)
    return np.asarray(finite * 65535 + 0.5).astype(np.uint16)


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    srgb = ImageCms.createProfile("sRGB")
    if image.mode == "LAB":
        return _through(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), srgb) or image.convert("RGB")
    if icc:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        except OSError:  # a profile that cannot be read is as good as none
            own = None
        if own is not None and (converted := _through(image, own, srgb)) is not None:
            return converted
    return image.convert("RGB")


def _through(image: Image.Image, own: ImageCms.ImageCmsProfile, target: Any) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(image, own, ImageCms.ImageCmsProfile(target), outputMode="RGB")
    except ImageCms.PyCMSError:  # the profile is for another colour space than the picture's
        return None
