"""JPEG (ITU-T T.81) through libjpeg-turbo, and strictly: what it objects to is refused."""

from __future__ import annotations

import dataclasses
import io
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import simplejpeg
from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from imgai.images import coded
from imgai.images.codecs import pillow
from imgai.images.strict import END
from imgai.plugin import Header, Picture, UnsupportedError

_QUALITY = 95
_ENLARGED = 90  # who enlarges a picture looks closely
_FULL_COLOR = 90  # from this quality on, colour is stored at full resolution
_ROOM = {"exif": 65_533, "xmp": 65_504, "comment": 65_533}  # bytes in one segment, after what begins it
_PHOTOSHOP = b"Photoshop 3.0\0"
_SAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}


def probe(source: Path | bytes) -> Header:
    """The header. What a phone or a stereo camera puts behind the picture (MPO) is not counted."""
    try:
        return pillow.header(source, "JPEG", pages=1)
    except UnidentifiedImageError:
        if bits := _other_bits(source):
            raise UnsupportedError(
                f"a JPEG of {bits} bits a channel is not read", "convert it to PNG or TIFF"
            ) from None
        raise


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The picture. Decoded smaller in the cosine domain, which costs less than decoding all and shrinking it."""
    content = source if isinstance(source, bytes) else source.read_bytes()
    notes: list[str] = []

    def decode(image: Image.Image) -> pillow.Decoded | None:
        smallest = least if least and min(image.size) > least else 0
        try:
            pixels = _strictly(content, _SPACES.get(image.mode, "RGB"), smallest)
        except ValueError:
            # A whole picture that lacks its end marker alone passes; one that was cut lacks more.
            pixels = _strictly(content + END, _SPACES.get(image.mode, "RGB"), smallest)
            notes.append("it lacks its end marker")
        if image.mode not in ("RGB", "L"):
            return None  # Pillow knows the colours
        return (pixels if image.mode == "RGB" else pixels[..., 0]), None, image.info.get("icc_profile") or None

    with pillow.opened(content, "JPEG") as image:
        quality = written_with(image)
        if image.mode == "RGB" and not image.info.get("icc_profile") and _is_adobe_rgb(image):
            image.info["icc_profile"] = coded.adobe_rgb()
        for picture in pillow.pictures(image, "JPEG", decode=decode):
            picture = dataclasses.replace(picture, metadata=dataclasses.replace(picture.metadata, quality=quality))
            yield pillow.noted(picture, *notes)


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write the picture. EXIF, XMP and comments of more than 64 KB, which no segment holds, are left out.

    quality: None for that of the JPEG that was read, so that a file keeps about its size; of what was enlarged, at
    least `_ENLARGED`. Of other files `_QUALITY`.
    """

    def options(picture: Picture) -> dict[str, Any]:
        about = pillow.carried(picture, "icc_profile", "exif", "xmp", "dpi")
        if comment := dict(picture.metadata.texts).get("Comment"):
            about["comment"] = comment.encode()
        about = {name: value for name, value in about.items() if name not in _ROOM or len(value) <= _ROOM[name]}
        if segment := _photoshop(picture.metadata.iptc):
            about["extra"] = segment
        return {**_how(picture, quality), **about}

    pillow.save(pictures, file, "JPEG", options)


def written_with(image: Image.Image) -> tuple[int, str] | None:
    """The quality that comes nearest to the tables of an opened JPEG, and how its colour is sampled.

    None where there is no such table.

    Encoders scale the table of ITU-T T.81, annex K by the quality, as libjpeg does; cameras have tables of their own.
    """
    table = getattr(image, "quantization", {}).get(0)
    if not table or len(table) != 64:
        return None
    colors = _SAMPLINGS.get(JpegImagePlugin.get_sampling(image), "4:2:0")  # the rest is rare, and coarser
    distances = np.abs(np.log(np.sort(np.asarray(table)) / _tables())).sum(axis=1)
    return int(distances.argmin()) + 1, colors


@cache
def _tables() -> np.ndarray:
    """The steps of luminance for each quality from 1 to 100, in order of size. Shape: ``(100, 64)``"""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", quality=50)  # whose table is that of the standard itself
    with Image.open(file, formats=["JPEG"]) as image:
        table = np.sort(np.asarray(image.quantization[0]))  # type: ignore[attr-defined]
    scales = [5000 // quality if quality < 50 else 200 - 2 * quality for quality in range(1, 101)]
    return np.asarray(((table * np.array(scales)[:, None] + 50) // 100).clip(1, 255))


def _how(picture: Picture, quality: int | None) -> dict[str, Any]:
    """The quality and the sampling of colour to write with."""
    metadata = picture.metadata
    if quality is not None or metadata.quality is None:
        quality = quality or _QUALITY
        return {"quality": quality, **({"subsampling": 0} if quality >= _FULL_COLOR else {})}
    read, colors = metadata.quality
    if metadata.full is not None and picture.pixels.shape[0] > metadata.full[0]:
        read = max(read, _ENLARGED)
    return {"quality": read, "subsampling": colors}


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether a camera notes that the picture is in Adobe RGB, without a profile."""
    if b"R03" not in image.info.get("exif", b""):
        return False
    return str(image.getexif().get_ifd(0xA005).get(1, "")).startswith("R03")


def _strictly(content: bytes, space: str, smallest: int) -> np.ndarray:
    """The pixels. Raises ValueError for whatever libjpeg-turbo objects to."""
    pixels: np.ndarray = simplejpeg.decode_jpeg(
        content,
        colorspace=space,
        min_height=smallest,
        min_width=smallest,
        min_factor=2,  # others are slow
    )
    return pixels


def _photoshop(iptc: bytes | None) -> bytes:
    """IPTC records in the segment that Photoshop has for them; empty where there are none, or too many."""
    if not iptc:
        return b""
    block = pillow.photoshop(iptc)
    length = 2 + len(_PHOTOSHOP) + len(block)
    return b"" if length > 65_535 else b"\xff\xed" + struct.pack(">H", length) + _PHOTOSHOP + block


def _other_bits(source: Path | bytes) -> int:
    """The bits a channel of a file that does not have 8; 0 if it has, or says nothing."""
    if isinstance(source, bytes):
        head = source[: 1 << 16]
    else:
        with source.open("rb") as file:
            head = file.read(1 << 16)
    at = 2
    while at + 5 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], struct.unpack_from(">H", head, at + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return 0 if head[at + 4] == 8 else head[at + 4]
        at += 2 + length
    return 0
