"""GIF through Pillow."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture

_DESCRIPTOR, _EXTENSION = 0x2C, 0x21  # what the blocks of a GIF begin with
_FRAME = 1 << 24
"""Pixels that a frame may have whatever the picture's size."""


def probe(source: Path | bytes) -> Header:
    """The header."""
    return pillow.header(source, "GIF")


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """Every frame, whole."""
    with pillow.opened(source, "GIF") as image:
        _check_frames(source, *image.size)
        yield from pillow.pictures(image, "GIF", image.n_frames)  # type: ignore[attr-defined]


def _check_frames(source: Path | bytes, width: int, height: int) -> None:
    """Raise ValueError for a frame far larger than the picture: Pillow makes room for it while it looks on."""
    content = source if isinstance(source, bytes) else source.read_bytes()
    most = max(16 * width * height, _FRAME)

    def table(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    place = 13 + table(content[10]) if len(content) > 10 else len(content)
    while place < len(content):
        if content[place] == _DESCRIPTOR and place + 9 < len(content):
            left, top, across, down = struct.unpack_from("<4H", content, place + 1)
            if (left + across) * (top + down) > most:
                raise ValueError(f"a frame of {left + across} x {top + down} pixels in a picture of {width} x {height}")
            place += 11 + table(content[place + 9])
        elif content[place] == _EXTENSION:
            place += 2
        else:
            place += 1  # the end, or what Pillow passes over too
            continue
        while place < len(content) and content[place]:
            place += 1 + content[place]
        place += 1


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write a picture or an animation. GIF knows no profile, and of all metadata a comment."""

    def options(picture: Picture) -> dict[str, Any]:
        comment = dict(picture.metadata.texts).get("Comment")
        return {"comment": comment.encode()} if comment else {}

    pillow.save(pictures, file, "GIF", options, to_image=_image, every={"disposal": 2})


def _image(picture: Picture) -> Image.Image:
    if picture.alpha is None:
        return Image.fromarray(np.ascontiguousarray(picture.pixels))
    # GIF knows colour that is there and colour that is not, and Pillow keeps that of RGBA alone.
    pixels = picture.pixels if picture.pixels.ndim == 3 else picture.pixels[..., None]
    colors = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return Image.fromarray(np.dstack([colors, np.where(picture.alpha < 128, 0, 255).astype(np.uint8)]))
