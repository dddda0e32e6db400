"""AVIF through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from imgai.images import coded
from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture

_QUALITY = 85
_HEAD = 1 << 16  # bytes in which the boxes that describe a picture stand


def probe(source: Path | bytes) -> Header:
    """The header."""
    return pillow.header(source, "AVIF")


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """Every frame, whole."""
    with pillow.opened(source, "AVIF") as image:
        if "icc_profile" not in image.info and (icc := coded.of_box(pillow.head_of(source, _HEAD))):
            image.info["icc_profile"] = icc
        yield from pillow.pictures(image, "AVIF", image.n_frames)  # type: ignore[attr-defined]


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write a picture or an animation. Grey with alpha is held as colour, which a profile for grey does not fit."""

    def options(picture: Picture) -> dict[str, Any]:
        fits = picture.alpha is None or pillow.fits_color(picture)
        names = ("icc_profile", "exif", "xmp") if fits else ("exif", "xmp")
        return {"quality": quality or _QUALITY, **pillow.carried(picture, *names)}

    pillow.save(pictures, file, "AVIF", options)
