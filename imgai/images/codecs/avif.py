"""AVIF through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from PIL import Image

from imgai.images import coded
from imgai.images.codecs import pillow
from imgai.images.isobmff import properties
from imgai.plugin import Header, Picture

_QUALITY = 85
_HEAD = 1 << 16  # bytes in which the boxes that describe a picture stand


def probe(source: Path | bytes) -> Header:
    """The header."""
    return pillow.header(source, "AVIF")


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """Every frame, whole."""
    notes: tuple[str, ...] = ()
    with pillow.opened(source, "AVIF") as image:
        codes = coded.of_box(source)
        if codes is not None and not image.info.get("icc_profile"):
            image.info["icc_profile"] = coded.profile(*codes, gray=image.mode in ("L", "LA")) or b""
            notes = coded.doubt(*codes)
        bits = _bits(source)
        decode = (lambda image: _deep(source, image, bits)) if bits > 8 else (lambda image: None)
        for picture in pillow.pictures(image, "AVIF", image.n_frames, decode=decode):  # type: ignore[attr-defined]
            yield pillow.noted(picture, *notes)


def _bits(source: Path | bytes) -> int:
    """Bits a channel, as the configuration of the AV1 stream has it (av1C: high_bitdepth, twelve_bit).

    A picture in several parts has none of its own: then the first in the file counts.
    """
    own = dict(properties(source)).get(b"av1C")
    if own is None:
        head = pillow.head_of(source, _HEAD)
        at = head.find(b"av1C")
        own = head[at + 4 :] if at >= 0 else b""
    flags = own[2] if len(own) > 2 else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def _deep(source: Path | bytes, image: Image.Image, bits: int) -> pillow.Decoded | None:
    """A still picture of 10 or 12 bits, which Pillow would cut to 8, scaled to 16: pixels, alpha and profile.

    None where its stream has 8 bits, whatever the file says.
    """
    values = imagecodecs.avif_decode(source if isinstance(source, bytes) else source.read_bytes())
    if values.dtype != np.uint16 or values.shape[:2] != (image.height, image.width):
        return None
    white = 2**bits - 1
    values = ((values.astype(np.uint32) * 65535 + white // 2) // white).clip(0, 65535).astype(np.uint16)
    icc = image.info.get("icc_profile") or None
    if values.ndim == 2:
        return values, None, icc
    colors = np.ascontiguousarray(values[..., :3] if values.shape[-1] > 2 else values[..., 0])
    return colors, np.ascontiguousarray(values[..., -1]) if values.shape[-1] in (2, 4) else None, icc


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write a picture or an animation. Grey with alpha is held as colour, which a profile for grey does not fit."""

    def options(picture: Picture) -> dict[str, Any]:
        fits = picture.alpha is None or pillow.fits_color(picture)
        names = ("icc_profile", "exif", "xmp") if fits else ("exif", "xmp")
        return {"quality": quality or _QUALITY, **pillow.carried(picture, *names)}

    pillow.save(pictures, file, "AVIF", options)
