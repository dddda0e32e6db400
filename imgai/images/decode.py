"""Read a file's pictures: page by page, upright, with all that the file says of them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import simplejpeg
import torch
from PIL import Image

from imgai.errors import InputError
from imgai.images import color, orientation, ppm, tiff
from imgai.images.header import check_pixels, format_of, frames, open_picture, reasons
from imgai.images.optional import develop, raw_size
from imgai.sample import Metadata, Sample, Source

DEFAULT_MAX_PIXELS = 200_000_000

for _library in ("imagecodecs", "tifffile"):  # what they log would be printed, of a picture that can be read
    logging.getLogger(_library).addHandler(logging.NullHandler())


def read(
    source: Path | bytes, origin: Source, *, max_pixels: int = DEFAULT_MAX_PIXELS, least: int | None = None
) -> Iterator[Sample]:
    """One sample for each page or frame, decoded as it is asked for.

    least: a JPEG may be decoded smaller, if both of its sides stay at least this long (pixels); in the cosine
        domain that costs less than decoding all and shrinking it. None: as it is.

    The orientation is applied, 16 bits and grey are kept, palettes become RGB, CMYK becomes sRGB, an
    animation's frames are whole pictures. Raises InputError, with the reason in one line, for a file
    that is no picture, that is damaged anywhere, or that is larger than `max_pixels`.
    """
    name = origin.name
    format_ = format_of(source, name)
    with reasons(name, format_):
        if format_ == "TIFF":
            yield from _pages(source, origin, max_pixels)
        elif format_ == "RAW":
            check_pixels(*raw_size(source, name), name, max_pixels)
            yield make_sample(develop(source, name), None, origin, Metadata("RAW", depth=16))
        else:
            yield from _frames(source, format_, origin, max_pixels, least)


def _pages(source: Path | bytes, origin: Source, max_pixels: int) -> Iterator[Sample]:
    empty = True
    for place, count, (pixels, alpha, metadata) in tiff.pages(source, origin.name, max_pixels=max_pixels):
        empty = False
        yield make_sample(pixels, alpha, dataclasses.replace(origin, page=place, pages=count), metadata)
    if empty:
        raise InputError(f"{origin.name}: the TIFF file holds no page")


def _frames(source: Path | bytes, format_: str, origin: Source, max_pixels: int, least: int | None) -> Iterator[Sample]:
    content = source
    if isinstance(source, Path) and format_ in ("JPEG", "PNG", "PPM"):
        content = source.read_bytes()
    with open_picture(content, format_, origin.name) as image:
        check_pixels(*image.size, origin.name, max_pixels)
        count = frames(image, format_)
        if format_ == "PNG" and "exif" not in image.info:
            image.load()  # it may stand behind the pixels
        exif, xmp = _exif(image), _xmp(image)
        turn = 1 if format_ in ("HEIC", "DICOM") else orientation.noted(exif, xmp)
        about = Metadata(
            format_,
            exif=None if exif is None else orientation.reset(exif),
            xmp=None if xmp is None else orientation.reset_in_xmp(xmp),
        )
        for number in range(count):
            if count > 1:
                image.seek(number)
            decoded = _decoded_fast(content, format_, image, least) if count == 1 else None
            if decoded is None:
                image.load()
                decoded = color.to_pixels(image)
            pixels, alpha, icc = decoded
            turned = turn in (5, 6, 7, 8)
            metadata = _metadata(about, image, pixels, icc, animated=count > 1, turned=turned)
            if pixels.shape[0] < image.height:
                full = (image.width, image.height) if turned else (image.height, image.width)
                metadata = dataclasses.replace(metadata, full=full)
            pixels = orientation.apply(pixels, turn)
            alpha = None if alpha is None else orientation.apply(alpha, turn)
            yield make_sample(pixels, alpha, dataclasses.replace(origin, page=number, pages=count), metadata)


def _decoded_fast(
    content: Path | bytes, format_: str, image: Image.Image, least: int | None
) -> tuple[np.ndarray, np.ndarray | None, bytes | None] | None:
    """The pixels through a faster codec where it gives the same ones; None where Pillow must do it."""
    if not isinstance(content, bytes):
        return None
    icc: bytes | None = image.info.get("icc_profile") or None
    if format_ == "PPM":
        deep = ppm.decode_deep(content)
        return None if deep is None else (deep, None, None)
    if format_ == "JPEG" and image.mode in ("RGB", "L"):
        try:
            smallest = least if least and min(image.size) > least else 0
            pixels = simplejpeg.decode_jpeg(
                content,
                colorspace="RGB" if image.mode == "RGB" else "GRAY",
                min_height=smallest,
                min_width=smallest,
                min_factor=2,  # others are slow
            )
        except ValueError:  # it stops at oddities that Pillow reads through, and Pillow says better what is wrong
            return None
        return (pixels if image.mode == "RGB" else pixels[..., 0]), None, icc
    if format_ == "PNG" and content[25] != 3 and content[24] >= (16 if "transparency" in image.info else 8):
        # Pillow would cut 16-bit colour to 8 bits without a word.
        pixels = imagecodecs.png_decode(content)
        if pixels.ndim == 3 and pixels.shape[-1] in (2, 4):
            rest = np.ascontiguousarray(pixels[..., :-1])
            return (rest[..., 0] if rest.shape[-1] == 1 else rest), np.ascontiguousarray(pixels[..., -1]), icc
        return (pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels), None, icc
    return None


def _exif(image: Image.Image) -> bytes | None:
    exif: bytes | None = image.info.get("exif") or None
    if exif is None and "Raw profile type exif" in image.info:  # as ImageMagick writes it into a PNG, in hexadecimals
        with contextlib.suppress(ValueError):
            return bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
    return exif


def _xmp(image: Image.Image) -> bytes | None:
    xmp: bytes | str | None = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or None
    return xmp.encode() if isinstance(xmp, str) else xmp


def _metadata(
    about: Metadata, image: Image.Image, pixels: np.ndarray, icc: bytes | None, *, animated: bool, turned: bool
) -> Metadata:
    dpi = image.info.get("dpi")
    return dataclasses.replace(
        about,
        depth=16 if pixels.dtype == np.uint16 else 8,
        gray=pixels.ndim == 2,
        icc=icc,
        dpi=None if not dpi else (float(dpi[turned]), float(dpi[not turned])),
        duration=int(image.info.get("duration", 100)) if animated else None,
        # A GIF that does not say how often is shown once.
        loop=image.info.get("loop", None if about.format == "GIF" else 0) if animated else None,
    )


def make_sample(pixels: np.ndarray, alpha: np.ndarray | None, source: Source, metadata: Metadata) -> Sample:
    """A sample over these buffers, without a copy.

    Shape: pixels ``(H, W)`` or ``(H, W, 3)``, alpha ``(H, W)`` or None; uint8 or uint16.
    """
    if not pixels.flags.writeable:
        pixels = pixels.copy()  # torch wants buffers that it could write to, though nobody will
    tensor = torch.from_numpy(np.ascontiguousarray(pixels))
    image = tensor.expand(3, -1, -1)[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)[None]
    cover = None if alpha is None else torch.from_numpy(np.ascontiguousarray(alpha))[None, None]
    return Sample(image, source, metadata, alpha=cover)
