"""Netpbm: PBM, PGM and PPM. Those of 16 bits, which Pillow cuts to 8, are decoded here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from imgai.images.codecs import pillow
from imgai.plugin import Header, Picture

_CHANNELS = {b"2": 1, b"3": 3, b"5": 1, b"6": 3}
_LONGEST_HEADER = 1 << 16


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
        for picture in pillow.pictures(image, "PPM", decode=decode):
            yield dataclasses.replace(
                picture, metadata=dataclasses.replace(picture.metadata, values=_values_of(content))
            )


def write(pictures: Iterator[Picture], file: BinaryIO, quality: int | None) -> None:
    """Write P5 for grey or P6 for colour; 16 bits with the most significant byte first."""
    for picture in pictures:
        pixels = picture.pixels
        height, width = pixels.shape[:2]
        deep = pixels.dtype == np.uint16
        file.write(b"P%d\n%d %d\n%d\n" % (5 if pixels.ndim == 2 else 6, width, height, 65535 if deep else 255))
        file.write((pixels.astype(">u2") if deep else pixels).tobytes())


def _values_of(content: bytes) -> tuple[float, float] | None:
    """0 and the number of white that the header states."""
    return (0.0, float(_numbers(content, 2, 3)[0][2])) if content[1:2] in _CHANNELS else None


def _decode_deep(content: bytes) -> np.ndarray | None:
    """The pixels of a PGM or PPM file of more than 8 bits, scaled to 16; None if it is another kind.

    Shape: ``(H, W)`` or ``(H, W, 3)`` uint16. Raises ValueError for a file that is too short.
    """
    kind = content[1:2]
    if kind not in _CHANNELS:
        return None
    (width, height, white), begin = _numbers(content, 2, 3)
    if not 255 < white < 65536:
        return None
    channels = _CHANNELS[kind]
    shape = (height, width) if channels == 1 else (height, width, channels)
    count = height * width * channels
    if kind in b"23":
        plain = b"\n".join(line.partition(b"#")[0] for line in re.split(rb"[\r\n]", content[begin:]))
        values = np.array(plain.split()[:count], dtype=np.float64)
        if values.size < count or values.max(initial=0) > white or values.min(initial=0) < 0:
            raise ValueError("it holds too few numbers, or numbers beyond its greatest")
    else:
        values = np.frombuffer(content, ">u2", offset=begin, count=count)
    values = values.reshape(shape)
    if white == 65535:
        return values.astype(np.uint16)
    return np.minimum(values.astype(np.float64) * (65535 / white) + 0.5, 65535).astype(np.uint16)


def _numbers(content: bytes, at: int, count: int) -> tuple[list[int], int]:
    """The numbers of the header, and where the pixels begin: one blank behind the last.

    A comment goes from # to the end of its line, wherever it stands, and ends no number.
    """
    numbers: list[int] = []
    token = b""
    while len(numbers) < count:
        letter = content[at : at + 1]
        if not letter or at > _LONGEST_HEADER:
            raise ValueError("its header does not end")
        at += 1
        if letter == b"#":
            while content[at : at + 1] not in (b"\n", b"\r", b""):
                at += 1
            at += 1
        elif letter.isdigit() and len(token) < 10:
            token += letter
        elif not letter.isspace():
            raise ValueError(f"its header holds {letter!r}")
        elif token:
            numbers.append(int(token))
            token = b""
    return numbers, at
