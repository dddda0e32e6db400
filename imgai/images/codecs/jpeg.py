"""JPEG (ITU-T T.81) through libjpeg-turbo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import simplejpeg
from PIL import Image

from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture

_QUALITY = 95
_FULL_COLOR = 90  # from this quality on, colour is stored at full resolution
_ROOM = {"exif": 65_533, "xmp": 65_504}  # bytes in one segment, after what begins it


def probe(source: Path | bytes) -> Header:
    """The header. What a phone or a stereo camera puts behind the picture (MPO) is not counted."""
    return pillow.header(source, "JPEG", pages=1)


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The picture. Decoded smaller in the cosine domain, which costs less than decoding all and shrinking it."""
    content = source if isinstance(source, bytes) else source.read_bytes()

    def decode(image: Image.Image) -> pillow.Decoded | None:
        if image.mode not in ("RGB", "L"):
            return None
        smallest = least if least and min(image.size) > least else 0
        try:
            pixels = simplejpeg.decode_jpeg(
                content,
                colorspace="RGB" if image.mode == "RGB" else "GRAY",
                min_height=smallest,
                min_width=smallest,
                min_factor=2,  # others are slow
            )
        except ValueError:  # it stops at oddities that Pillow reads through, and Pillow says better what is wrong
            return None
        return (pixels if image.mode == "RGB" else pixels[..., 0]), None, image.info.get("icc_profile") or None

    with pillow.opened(content, "JPEG") as image:
        yield from pillow.pictures(image, "JPEG", decode=decode)


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write the picture. EXIF and XMP of more than 64 KB, which no segment holds, are left out."""
    quality = quality or _QUALITY

    def options(picture: Picture) -> dict[str, Any]:
        about = pillow.carried(picture, "icc_profile", "exif", "xmp", "dpi")
        about = {name: value for name, value in about.items() if name not in _ROOM or len(value) <= _ROOM[name]}
        return {"quality": quality, **({"subsampling": 0} if quality >= _FULL_COLOR else {}), **about}

    pillow.save(pictures, file, "JPEG", options)
