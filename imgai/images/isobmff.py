"""The properties of the primary picture in an AVIF or HEIC file (ISO/IEC 14496-12, ISO/IEC 23008-12)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

_MOST_BOXES = 64  # before the one that describes the pictures
_LARGEST = 1 << 24  # bytes of it


def properties(source: Path | bytes) -> list[tuple[bytes, bytes]]:
    """Return the kinds and contents of the properties; empty if they cannot be found.

    A file holds other pictures too (thumbnails, alpha, gain maps), whose properties stand beside those of the primary.
    """
    try:
        return _of_primary(_meta(source))
    except (struct.error, IndexError, KeyError):
        return []


def _meta(source: Path | bytes) -> bytes:
    """The content of the ``meta`` box, which may stand behind the pixels."""
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        for _ in range(_MOST_BOXES):
            begin = file.tell()
            length, kind = struct.unpack(">L4s", file.read(8))
            if length == 1:
                (length,) = struct.unpack(">Q", file.read(8))
            if kind == b"meta":
                return file.read(min(length, _LARGEST))[4:]  # after version and flags
            if length < 8:
                break
            file.seek(begin + length)
    return b""


def _of_primary(meta: bytes) -> list[tuple[bytes, bytes]]:
    boxes = dict(_boxes(meta))
    within = dict(_boxes(boxes[b"iprp"]))
    pitm, ipma = boxes[b"pitm"], within[b"ipma"]
    (primary,) = struct.unpack_from(">H" if pitm[0] == 0 else ">L", pitm, 4)
    every = list(_boxes(within[b"ipco"]))
    wide, (count,), at = ipma[3] & 1, struct.unpack_from(">L", ipma, 4), 8
    for _ in range(count):
        (item,) = struct.unpack_from(">H" if ipma[0] == 0 else ">L", ipma, at)
        at += 2 if ipma[0] == 0 else 4
        of_item = ipma[at]
        indices = struct.unpack_from(f">{of_item}{'H' if wide else 'B'}", ipma, at + 1)
        at += 1 + of_item * (2 if wide else 1)
        if item == primary:  # the highest bit says whether a reader has to know the property
            numbers = [index & (0x7FFF if wide else 0x7F) for index in indices]
            return [every[number - 1] for number in numbers if 0 < number <= len(every)]
    return []


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes within another."""
    at = 0
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">L4s", content, at)
        if length < 8:
            return
        yield kind, content[at + 8 : at + length]
        at += length
