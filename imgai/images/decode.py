"""Read the pages of a file: upright, with metadata."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgai.errors import InputError, UsageError
from imgai.images.alpha import bleed
from imgai.images.contrast import Values
from imgai.images.depth import to_float
from imgai.images.formats import DEFAULT_MAX_PIXELS, formats, function
from imgai.images.header import check_pixels, probe, reasons
from imgai.images.range import Range
from imgai.images.space import space_of
from imgai.plugin import Header, Picture
from imgai.sample import Metadata, Sample, Source

for _library in ("imagecodecs", "tifffile"):  # silence log messages about readable pictures
    logging.getLogger(_library).addHandler(logging.NullHandler())


def read(
    source: Path | bytes,
    origin: Source,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    least: int | None = None,
    header: Header | None = None,
    ranges: Mapping[int, Range] = MappingProxyType({}),
) -> Iterator[Sample]:
    """Yield a sample for each page or frame, decoded on demand.

    source: the path or the bytes of the file. origin: the source that samples get.
    least: allows JPEGs to be decoded at a smaller size (by DCT scaling), with sides of at least this many pixels. None:
        full size.
    header: the result of `probe`; None: it is read here.
    ranges: the range of values of each series of pages, from `ranges_of`.

    The orientation is applied, 16 bits and grey are kept, palettes become RGB, CMYK becomes sRGB, and the frames of
    animations are complete pictures. Raises InputError, with the reason in one line, if the file is not a picture, is
    damaged, or has more than `max_pixels` pixels.
    """
    name = origin.name
    header = header or probe(source, name, max_pixels=max_pixels)
    format_ = formats()[header.format]
    with reasons(name, format_):
        pictures: Iterator[Picture] = function(format_.read)(source, least)
        for page, picture in enumerate(pictures):
            check_pixels(picture.pixels.shape[1], picture.pixels.shape[0], name, max_pixels)
            place = dataclasses.replace(origin, page=page, pages=max(header.pages, page + 1))
            metadata = dataclasses.replace(picture.metadata, notes=picture.notes)
            sample = make_sample(picture.pixels, picture.alpha, place, metadata)
            sample.range = ranges.get(metadata.series)
            yield sample


def ranges_of(source: Path | bytes, header: Header, *, goes_on: Callable[[], bool] = lambda: True) -> dict[int, Range]:
    """Return the range of values of each series of pages, by its number; empty for a file with one page.

    Decodes all pages, one at a time. Stops at a page that cannot be read; reading the pages later reports the error.

    goes_on: called before each page; stops if it returns False.
    """
    if header.pages < 2:
        return {}
    values: dict[tuple[int, np.dtype[Any]], Values] = {}
    with contextlib.suppress(Exception):
        for picture in function(formats()[header.format].read)(source, None):
            if not goes_on():
                break
            pixels = picture.pixels
            counted = values.setdefault((picture.metadata.series, pixels.dtype), Values(pixels.dtype))
            counted.add(pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0))
    ranges = {series: each.range() for (series, _), each in values.items()}
    return {series: range_ for series, range_ in ranges.items() if range_ is not None}


def read_image(path: Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Tensor:
    """Read the first page of a file as the input of a network. Raises UsageError where `read` raises InputError.

    Shape: ``(1, 3, H, W)`` float32 in [0, 1].
    """
    try:
        sample = next(read(path, Source(path, str(path)), max_pixels=max_pixels))
    except InputError as error:
        raise UsageError(error.message, error.hint) from error
    image = sample.image if sample.alpha is None else bleed(sample.image, sample.alpha)
    space = space_of(sample.metadata.icc, 1 if sample.metadata.gray else 3)
    if space is not None:
        image = space.to_srgb(image[:, :1] if sample.metadata.gray else image).expand(-1, 3, -1, -1)
    return to_float(image)


def make_sample(pixels: np.ndarray, alpha: np.ndarray | None, source: Source, metadata: Metadata) -> Sample:
    """Make a sample that shares these buffers.

    Shape: pixels ``(H, W)`` or ``(H, W, 3)``, alpha ``(H, W)`` or None; uint8 or uint16.
    """
    if not pixels.flags.writeable:
        pixels = pixels.copy()  # torch requires writable buffers
    metadata = dataclasses.replace(metadata, full=metadata.full or pixels.shape[:2])
    tensor = torch.from_numpy(np.ascontiguousarray(pixels))
    image = tensor.expand(3, -1, -1)[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)[None]
    cover = None if alpha is None else torch.from_numpy(np.ascontiguousarray(alpha))[None, None]
    return Sample(image, source, metadata, alpha=cover)
