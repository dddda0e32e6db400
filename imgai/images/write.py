"""Write samples to one file, with everything that the format can store."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from torch import Tensor

from imgai.errors import InputError, UsageError
from imgai.images.codecs.pillow import joined, with_8_bits
from imgai.images.depth import quantize
from imgai.images.exif import settled
from imgai.images.formats import formats, function, writable
from imgai.images.xmp import settled as settled_xmp
from imgai.plugin import Format, Metadata, Picture
from imgai.sample import Sample


def write_image(samples: Iterable[Sample], file: BinaryIO, format_: str, *, quality: int | None = None) -> None:
    """Write the pages or frames of one file.

    ICC profile, EXIF, XMP and resolution are written if the format supports them. Without alpha support, the picture is
    composited over white; without 16-bit support, values are rounded to 8 bits. Raises UsageError for several pages in
    a format that holds one, InputError for a picture with sides longer than the format allows.

    file: a real file opened for writing in binary mode.
    format_: the name of a `Format` that can be written.
    quality: 1 to 100, for JPEG, WebP and AVIF.
    """
    if format_ not in writable():
        raise UsageError(f"pictures are not written as {format_}", f"choose {', '.join(writable())}")
    declared = formats()[format_]
    stream = iter(samples)
    first = next(stream)
    check_size(declared, first.height, first.width, first.source.name)
    if first.source.pages > 1 and not declared.pages:
        raise UsageError(f"{format_} holds one picture, and {first.source.name} has {first.source.pages}")
    function(declared.write)(_pictures(first, stream, declared), file, quality)


def check_size(format_: Format, height: int, width: int, name: str) -> None:
    """Raise InputError for a picture with sides longer than the format allows."""
    if format_.longest is not None and max(height, width) > format_.longest:
        raise InputError(
            f"{name}: {format_.name} holds at most {format_.longest} pixels along a side, not {width}x{height}",
            "choose another format, as with --format png",
        )


def to_pixels(sample: Sample) -> np.ndarray:
    """Return the image and its alpha as one array of the sample's depth.

    Shape: ``(H, W)``, ``(H, W, 2)``, ``(H, W, 3)`` or ``(H, W, 4)``, uint8 or uint16.
    """
    return np.ascontiguousarray(joined(to_picture(sample)))


def to_picture(sample: Sample) -> Picture:
    """Convert a sample to the argument of a format's ``write``."""
    metadata = metadata_of(sample)
    image = sample.image[0, :1] if metadata.gray else sample.image[0]
    pixels = _values(image, metadata.depth)
    alpha = None if sample.alpha is None else _values(sample.alpha[0], metadata.depth)[..., 0]
    return Picture(pixels[..., 0] if metadata.gray else pixels, alpha, metadata)


def metadata_of(sample: Sample) -> Metadata:
    """Return the metadata, adapted to the current size of the picture."""
    metadata, size = sample.metadata, (sample.height, sample.width)
    if metadata.full in (None, size):
        return metadata
    assert metadata.full is not None
    down, across = (now / before for now, before in zip(size, metadata.full, strict=True))
    return resized(metadata, size, (across, down))


def resized(metadata: Metadata, size: tuple[int, int], scale: tuple[float, float], *, moved: bool = False) -> Metadata:
    """Return the metadata of a picture of another size.

    size: (height, width). scale: the new number of pixels for each old one, across and down.
    moved: whether the picture was cropped or laid on a canvas.
    """
    across, down = scale
    dpi = None if metadata.dpi is None else (metadata.dpi[0] * across, metadata.dpi[1] * down)
    pixel = None if metadata.pixel_size is None else (metadata.pixel_size[0] / across, metadata.pixel_size[1] / down)
    exif, xmp = metadata.exif, metadata.xmp
    if exif is not None:
        exif = settled(exif, size[1], size[0], scale=scale, moved=moved)
    if xmp is not None:
        xmp = settled_xmp(xmp, size[1], size[0], scale=scale, moved=moved)
    return dataclasses.replace(metadata, dpi=dpi, pixel_size=pixel, exif=exif, xmp=xmp)


def _values(channels: Tensor, depth: int) -> np.ndarray:
    return np.asarray(quantize(channels, depth).cpu().permute(1, 2, 0).numpy())


def _pictures(first: Sample, rest: Iterator[Sample], format_: Format) -> Iterator[Picture]:
    """Yield the samples in the form that the format can store, on demand."""
    yield _as_held(first, format_)
    for sample in rest:
        yield _as_held(sample, format_)


def _as_held(sample: Sample, format_: Format) -> Picture:
    picture = to_picture(sample)
    if not format_.deep:
        picture = with_8_bits(picture)
    return picture if format_.alpha else _over_white(picture)


def _over_white(picture: Picture) -> Picture:
    """Composite the picture over white."""
    if picture.alpha is None:
        return picture
    white = np.iinfo(picture.pixels.dtype).max
    alpha = picture.alpha.astype(np.float32) / white
    if picture.pixels.ndim == 3:
        alpha = alpha[..., None]
    laid = (picture.pixels * alpha + white * (1 - alpha) + 0.5).astype(picture.pixels.dtype)
    return dataclasses.replace(picture, pixels=laid, alpha=None)
