"""Netpbm: PBM, PGM and PPM. Those of 16 bits, which Pillow cuts to 8, by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture

_HEADER = re.compile(rb"P([56])(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)\s")


def probe(source: Path | bytes) -> Header:
    """The header."""
    return pillow.header(source, "PPM", pages=1)


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The picture."""
    content = source if isinstance(source, bytes) else source.read_bytes()

    def decode(image: Image.Image) -> pillow.Decoded | None:
        deep = _decode_deep(content)
        return None if deep is None else (deep, None, None)

    with pillow.opened(content, "PPM") as image:
        yield from pillow.pictures(image, "PPM", decode=decode)


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write P5 for grey or P6 for colour; 16 bits with the most significant byte first."""
    for picture in pictures:
        pixels = picture.pixels
        height, width = pixels.shape[:2]
        deep = pixels.dtype == np.uint16
        file.write(b"P%d\n%d %d\n%d\n" % (5 if pixels.ndim == 2 else 6, width, height, 65535 if deep else 255))
        file.write((pixels.astype(">u2") if deep else pixels).tobytes())


def _decode_deep(content: bytes) -> np.ndarray | None:
    """The pixels of a P5 or P6 file of more than 8 bits, scaled to 16; None if it is another kind.

    Shape: ``(H, W)`` or ``(H, W, 3)`` uint16. Raises ValueError for a file that is too short.
    """
    found = _HEADER.match(content)
    if found is None or int(found[4]) < 256:
        return None
    kind, width, height, white = (int(value) for value in found.groups())
    shape = (height, width) if kind == 5 else (height, width, 3)
    values = np.frombuffer(content, ">u2", offset=found.end(), count=int(np.prod(shape))).reshape(shape)
    if white == 65535:
        return values.astype(np.uint16)
    return np.minimum(values.astype(np.float64) * (65535 / white) + 0.5, 65535).astype(np.uint16)
