"""HEIC, the pictures of phones, through libheif."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from imgai.images import coded
from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture


def probe(source: Path | bytes) -> Header:
    """The header of the first picture."""
    return Header(*pillow_heif.open_heif(_file(source)).size)


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The first picture; libheif has turned it. 10 and 12 bits are scaled to 16."""
    heif = pillow_heif.open_heif(_file(source), convert_hdr_to_8bit=False)
    deep = int(heif.info.get("bit_depth", 8)) > 8
    # Pillow has no picture of 16 bits in colour: what it holds then is only what the file says of itself.
    image: Image.Image = Image.new("L", heif.size) if deep else heif.to_pillow()
    with image:
        image.info = {**heif.info, **image.info}
        notes = _tell_colors(image, heif.info.get("nclx_profile"), gray=heif.mode in ("L", "LA", "I;16", "LA;16"))
        decode = (lambda image: _deep(heif, image)) if deep else (lambda image: None)
        for picture in pillow.pictures(image, "HEIC", decode=decode, turned=True):
            yield pillow.noted(picture, *notes)


def _file(source: Path | bytes) -> io.BytesIO | Path:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _deep(heif: pillow_heif.HeifFile, image: Image.Image) -> pillow.Decoded:
    """Pixels, alpha and profile, of 16 bits: libheif's are shifted, so that white would be a little grey."""
    white = 65536 - (1 << (16 - int(heif.info["bit_depth"])))
    values = ((np.asarray(heif).astype(np.uint32) * 65535 + white // 2) // white).clip(0, 65535).astype(np.uint16)
    if heif.mode == "I;16":
        return values, None, image.info.get("icc_profile") or None
    alpha = np.ascontiguousarray(values[..., 3]) if values.shape[-1] == 4 else None
    return np.ascontiguousarray(values[..., :3]), alpha, image.info.get("icc_profile") or None


def _tell_colors(image: Image.Image, nclx: object, *, gray: bool) -> tuple[str, ...]:
    """Note the profile that code points tell, where there is no other, and return what is to be said of them."""
    if image.info.get("icc_profile") or not isinstance(nclx, dict):
        return ()
    primaries, transfer = (int(nclx.get(name, 2)) for name in ("color_primaries", "transfer_characteristics"))
    if icc := coded.profile(primaries, transfer, gray=gray):
        image.info["icc_profile"] = icc
    return coded.doubt(primaries, transfer)
