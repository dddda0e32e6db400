"""Shared by the codecs that use Pillow."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from imgai.images import color, orientation
from imgai.images.exif import settled
from imgai.images.xmp import cleaned
from imgai.images.xmp import settled as settled_xmp
from imgai.plugin import Header, Metadata, Picture

# Pillow's own limit is a warning at one size and an error at twice that, both of the whole program;
# ours is `max_pixels`, checked by what `probe` says before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

_RAW = "Raw profile type "
_IPTC = 0x0404
_NO_TEXTS = ("XML:com.adobe.xmp", _RAW)  # keys of a PNG's texts that are carried otherwise

Decoded = tuple[np.ndarray, np.ndarray | None, bytes | None]
"""Pixels, alpha and ICC profile."""


def opened(source: Path | bytes, format_: str) -> Image.Image:
    """Open with Pillow, without decoding."""
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=[format_])


def header(source: Path | bytes, format_: str, *, pages: int | None = None) -> Header:
    """The header of a file that Pillow opens. pages: None for as many as it counts."""
    with opened(source, format_) as image:
        return Header(*image.size, pages or int(getattr(image, "n_frames", 1)))


def pictures(
    image: Image.Image,
    format_: str,
    count: int = 1,
    *,
    decode: Callable[[Image.Image], Decoded | None] = lambda image: None,
    turned: bool = False,
) -> Iterator[Picture]:
    """The frames of an opened file, upright, with what the file says of them.

    decode: a faster way to the same pixels of a single picture; None where Pillow is to do it.
    turned: whoever opened the file has applied the orientation.
    """
    exif, xmp = exif_of(image), xmp_of(image)
    turn = 1 if turned else orientation.noted(exif, xmp)
    sideways = turn in (5, 6, 7, 8)
    exif, xmp, notes = about_upright(
        exif, xmp, image.size[::-1] if sideways else image.size, turned=orientation.noted(exif, xmp) != 1
    )
    about = Metadata(format_, exif=exif, xmp=xmp, iptc=iptc_of(image), texts=texts_of(image))
    poster = bool(image.info.get("default_image"))  # of an APNG
    for number in range(count):
        if count > 1:
            image.seek(number)
        decoded = decode(image) if count == 1 else None
        if decoded is None:
            image.load()
            decoded = color.to_pixels(image)
        pixels, alpha, icc = decoded
        dpi = image.info.get("dpi")
        metadata = dataclasses.replace(
            about,
            depth=16 if pixels.dtype == np.uint16 else 8,
            gray=pixels.ndim == 2,
            icc=icc,
            dpi=None if not dpi else (float(dpi[sideways]), float(dpi[not sideways])),
            duration=int(image.info.get("duration", 100)) if count > 1 else None,
            poster=poster and number == 0,
            # A GIF that does not say how often is shown once.
            loop=image.info.get("loop", None if format_ == "GIF" else 0) if count > 1 else None,
        )
        if pixels.shape[0] < image.height:
            full = (image.width, image.height) if sideways else (image.height, image.width)
            metadata = dataclasses.replace(metadata, full=full)
        pixels = orientation.apply(pixels, turn)
        alpha = None if alpha is None else orientation.apply(alpha, turn)
        yield Picture(pixels, alpha, metadata, notes)


def about_upright(
    exif: bytes | None, xmp: bytes | None, size: tuple[int, int], *, turned: bool
) -> tuple[bytes | None, bytes | None, tuple[str, ...]]:
    """EXIF and XMP as they are true of the upright picture of this width and height; and what is to be said of it.

    turned: whether it was not upright before. Regions of XMP, such as faces, are of the picture as it lay.
    """
    exif = None if exif is None else orientation.reset(exif)
    if exif is not None:
        exif = settled(exif, *size, moved=turned)
    if xmp is None:
        return exif, None, ()
    xmp, less = cleaned(orientation.reset_in_xmp(xmp))
    notes: tuple[str, ...] = ("its embedded video, gain map or the like is not carried",) if less else ()
    upright = settled_xmp(xmp, *size, moved=turned)
    if upright.count(b"<") != xmp.count(b"<"):
        notes += ("regions in its XMP, which are of the picture as it lay, are not carried",)
    return exif, upright, notes


def head_of(source: Path | bytes, length: int) -> bytes:
    """The first bytes of a file."""
    if isinstance(source, bytes):
        return source[:length]
    with source.open("rb") as file:
        return file.read(length)


def exif_of(image: Image.Image) -> bytes | None:
    """The EXIF block of an opened file."""
    return image.info.get("exif") or _raw_profile(image, "exif") or None


def xmp_of(image: Image.Image) -> bytes | None:
    """The XMP packet of an opened file."""
    xmp: bytes | str | None = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or None
    return xmp.encode() if isinstance(xmp, str) else xmp or _raw_profile(image, "xmp")


def iptc_of(image: Image.Image) -> bytes | None:
    """The IPTC records of an opened JPEG or PNG."""
    blocks = image.info.get("photoshop")
    records = blocks.get(_IPTC) if isinstance(blocks, dict) else None
    if isinstance(records, bytes):
        return records
    raw = _raw_profile(image, "iptc") or _raw_profile(image, "8bim") or b""
    return (raw if raw[:1] == b"\x1c" else _records(raw)) or None


def photoshop(iptc: bytes) -> bytes:
    """IPTC records as one of Photoshop's blocks."""
    return b"8BIM" + struct.pack(">HHL", _IPTC, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)


def raw_profile_of(kind: str, content: bytes) -> tuple[str, str]:
    """The key and the text that hold such a block in a PNG, as ImageMagick and ExifTool write it."""
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"{_RAW}{kind}", f"\n{kind}\n{len(content):8}\n{lines}\n"


def _raw_profile(image: Image.Image, kind: str) -> bytes | None:
    """What a text of a PNG holds in hexadecimals; None if it is not there or cannot be read."""
    text = image.info.get(_RAW + kind)
    with contextlib.suppress(ValueError):
        return bytes.fromhex("".join(text.split("\n")[3:])) if isinstance(text, str) else None
    return None


def _records(blocks: bytes) -> bytes | None:
    """The IPTC records among Photoshop's blocks."""
    at = 0
    while blocks[at : at + 4] == b"8BIM" and at + 12 <= len(blocks):
        (number,) = struct.unpack_from(">H", blocks, at + 4)
        at += 6 + (blocks[at + 6] + 2) // 2 * 2  # a name of even length, with its own
        if at + 4 > len(blocks):
            return None
        (length,) = struct.unpack_from(">L", blocks, at)
        if number == _IPTC:
            return blocks[at + 4 : at + 4 + length]
        at += 4 + (length + 1) // 2 * 2
    return None


def texts_of(image: Image.Image) -> tuple[tuple[str, str], ...]:
    """The texts of an opened PNG, and the comment of a JPEG or GIF."""
    texts = getattr(image, "text", None) or {}
    comment = image.info.get("comment")
    if isinstance(comment, bytes) and comment:
        try:
            texts = {**texts, "Comment": comment.decode()}
        except UnicodeDecodeError:
            texts = {**texts, "Comment": comment.decode("latin-1")}
    return tuple((key, str(value)) for key, value in texts.items() if not key.startswith(_NO_TEXTS))


def noted(picture: Picture, *notes: str) -> Picture:
    """The picture with more to be said of how it was read."""
    return dataclasses.replace(picture, notes=(*picture.notes, *notes)) if notes else picture


def save(
    pictures: Iterator[Picture],
    file: BinaryIO,
    format_: str,
    options: Callable[[Picture], dict[str, Any]],
    *,
    to_image: Callable[[Picture], Image.Image] | None = None,
    every: dict[str, Any] | None = None,
) -> None:
    """Write a picture, or the frames of an animation.

    options: what `Image.save` is given of the first picture. every: what it is given where there are several.
    A picture that is no frame of its animation is written in a PNG alone.
    """
    to_image = to_image or image_of
    if format_ != "PNG":
        pictures = (picture for picture in pictures if not picture.metadata.poster)
    first = next(pictures)
    second = next(pictures, None)
    metadata = first.metadata
    if second is None and metadata.duration is None:
        to_image(first).save(file, format=format_, **options(first))
        return
    about = {**options(first), **(every or {})}
    durations = [metadata.duration or 100]
    if metadata.poster:
        about["default_image"] = True
        durations = []
    frames: list[Image.Image] = []
    # Pillow wants every duration before it writes the first frame.
    for picture in (*(() if second is None else (second,)), *pictures):
        durations.append(picture.metadata.duration or 100)
        frames.append(to_image(picture))
    loop = metadata.loop if metadata.duration is not None else 0  # pages that were no animation: for ever
    if loop is not None or format_ != "GIF":  # a GIF that is shown once does not say how often
        about["loop"] = 1 if loop is None else loop
    to_image(first).save(file, format=format_, save_all=True, append_images=frames, duration=durations, **about)


def image_of(picture: Picture) -> Image.Image:
    """The picture as Pillow's."""
    return Image.fromarray(np.ascontiguousarray(joined(picture)))


def joined(picture: Picture) -> np.ndarray:
    """Pixels and alpha as one array. Shape: ``(H, W)``, ``(H, W, 2)``, ``(H, W, 3)`` or ``(H, W, 4)``"""
    if picture.alpha is None:
        return picture.pixels
    return np.dstack([picture.pixels, picture.alpha])


def carried(picture: Picture, *names: str) -> dict[str, Any]:
    """Of icc_profile, exif, xmp and dpi, those that are asked for and there."""
    metadata = picture.metadata
    held = {"icc_profile": metadata.icc, "exif": metadata.exif, "xmp": metadata.xmp, "dpi": metadata.dpi}
    return {name: held[name] for name in names if held[name]}


def fits_color(picture: Picture) -> bool:
    """Whether the profile is for colour, as is wanted where a format holds grey as colour."""
    return (picture.metadata.icc or b"")[16:20] != b"GRAY"


def with_8_bits(picture: Picture) -> Picture:
    """The picture with the nearest 8-bit values."""
    if picture.pixels.dtype != np.uint16:
        return picture
    pixels, alpha = ((None if values is None else _to_8_bits(values)) for values in (picture.pixels, picture.alpha))
    assert pixels is not None
    return dataclasses.replace(picture, pixels=pixels, alpha=alpha)


def _to_8_bits(values: np.ndarray) -> np.ndarray:
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
