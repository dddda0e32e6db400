"""BMP through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture


def probe(source: Path | bytes) -> Header:
    """The header."""
    return pillow.header(source, "BMP", pages=1)


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The picture."""
    with pillow.opened(source, "BMP") as image:
        yield from pillow.pictures(image, "BMP")


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write the picture, with its resolution."""
    pillow.save(pictures, file, "BMP", lambda picture: pillow.carried(picture, "dpi"))
