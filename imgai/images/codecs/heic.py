"""HEIC, the pictures of phones, through libheif."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pillow_heif
from PIL import Image

from imgai.images import coded
from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture


def probe(source: Path | bytes) -> Header:
    """The header of the first picture."""
    return Header(*pillow_heif.open_heif(_file(source)).size)


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The first picture; libheif has turned it."""
    with _opened(source) as image:
        yield from pillow.pictures(image, "HEIC", turned=True)


def _file(source: Path | bytes) -> io.BytesIO | Path:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _opened(source: Path | bytes) -> Image.Image:
    heif = pillow_heif.open_heif(_file(source), convert_hdr_to_8bit=True)
    image: Image.Image = heif.to_pillow()
    nclx = heif.info.get("nclx_profile")
    if not image.info.get("icc_profile") and isinstance(nclx, dict):
        codes = (int(nclx.get(name, 2)) for name in ("color_primaries", "transfer_characteristics"))
        if icc := coded.profile(*codes):
            image.info["icc_profile"] = icc
    return image
