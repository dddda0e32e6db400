"""Update entries of an EXIF block that no longer describe the written picture.

Entries are changed in place, because proprietary data (MakerNote) often breaks when it is moved.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

PREFIX = b"Exif\0\0"
"""The header before the block: always in JPEG, never in PNG, sometimes in WebP."""

_WIDTH, _LENGTH, _EXIF, _PIXEL_X, _PIXEL_Y = 0x0100, 0x0101, 0x8769, 0xA002, 0xA003
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_SHORT, _LONG = 3, 4


def settled(exif: bytes, width: int, height: int) -> bytes:
    """Remove the thumbnail, which shows the old picture, and update the size if the block has one.

    A block that cannot be read is not changed.
    """
    prefix = PREFIX if exif.startswith(PREFIX) else b""
    block = bytearray(exif[len(prefix) :])
    order = order_of(block)
    if order is None:
        return exif
    (first,) = struct.unpack_from(order + "L", block, 4)
    block = _without_thumbnail(block, order, first)
    sizes = {_WIDTH: width, _LENGTH: height, _PIXEL_X: width, _PIXEL_Y: height}
    directories = [first]
    for tag, at in entries(block, order, first):
        if tag == _EXIF:
            directories.append(struct.unpack_from(order + "L", block, at + 8)[0])
    for directory in directories:
        for tag, at in entries(block, order, directory):
            if tag in sizes:
                struct.pack_into(order + "HLL", block, at + 2, _LONG, 1, sizes[tag])
    return prefix + bytes(block)


def entries(block: bytes | bytearray, order: str, directory: int) -> Iterator[tuple[int, int]]:
    """Yield the tag and the offset of each entry of a directory."""
    whole = block[directory : directory + 2]
    count = struct.unpack(order + "H", whole)[0] if len(whole) == 2 else 0
    for at in range(directory + 2, min(directory + 2 + 12 * count, len(block) - 11), 12):
        yield struct.unpack_from(order + "H", block, at)[0], at


def order_of(block: bytes | bytearray) -> str | None:
    """Return the byte order as a `struct` prefix; None if the block is not EXIF."""
    return {b"II": "<", b"MM": ">"}.get(bytes(block[:2])) if len(block) >= 8 else None


def _without_thumbnail(block: bytearray, order: str, first: int) -> bytearray:
    whole = block[first : first + 2]
    if len(whole) < 2:
        return block
    link = first + 2 + 12 * struct.unpack(order + "H", whole)[0]
    if link + 4 > len(block):
        return block
    (second,) = struct.unpack_from(order + "L", block, link)
    if not second:
        return block
    values = {tag: struct.unpack_from(order + "L", block, at + 8)[0] for tag, at in entries(block, order, second)}
    struct.pack_into(order + "L", block, link, 0)
    start, length = values.get(_THUMBNAIL, 0), values.get(_THUMBNAIL_LENGTH, 0)
    if start and length and start + length <= len(block):
        if start + length == len(block):
            return block[:start]
        block[start : start + length] = bytes(length)
    return block
