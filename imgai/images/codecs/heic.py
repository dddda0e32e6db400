"""HEIC, the pictures of phones, through libheif."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pillow_heif
from PIL import Image

from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture


def probe(source: Path | bytes) -> Header:
    """The header of the first picture."""
    return Header(*_opened(source).size)


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The first picture; libheif has turned it."""
    with _opened(source) as image:
        yield from pillow.pictures(image, "HEIC", turned=True)


def _opened(source: Path | bytes) -> Image.Image:
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    image: Image.Image = pillow_heif.open_heif(file, convert_hdr_to_8bit=True).to_pillow()
    return image
