"""WebP through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture

_QUALITY = 90


def probe(source: Path | bytes) -> Header:
    """The header."""
    return pillow.header(source, "WEBP")


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """Every frame, whole."""
    with pillow.opened(source, "WEBP") as image:
        yield from pillow.pictures(image, "WEBP", image.n_frames)  # type: ignore[attr-defined]


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write a picture or an animation. Grey is held as colour, which a profile for grey does not fit."""

    def options(picture: Picture) -> dict[str, Any]:
        names = ("icc_profile", "exif", "xmp") if pillow.fits_color(picture) else ("exif", "xmp")
        return {"quality": quality or _QUALITY, **pillow.carried(picture, *names)}

    pillow.save(pictures, file, "WEBP", options)
