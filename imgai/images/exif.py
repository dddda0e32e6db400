"""Update entries of an EXIF block that no longer describe the written picture.

Entries are changed in place, because proprietary data (MakerNote) often breaks when it is moved.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction

PREFIX = b"Exif\0\0"
"""The header before the block: always in JPEG, never in PNG, sometimes in WebP."""

_DESCRIPTION = 0x010E
_WIDTH, _LENGTH, _EXIF, _PIXEL_X, _PIXEL_Y = 0x0100, 0x0101, 0x8769, 0xA002, 0xA003
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_DENSITIES = {0x011A: 0, 0x011B: 1, 0xA20E: 0, 0xA20F: 1}
"""Resolutions of the picture and of the sensor: 0 across, 1 down."""
_SUBJECT = {0x9214, 0xA214}
_SHORT, _LONG, _RATIONAL = 3, 4, 5


def settled(
    exif: bytes, width: int, height: int, *, scale: tuple[float, float] = (1.0, 1.0), moved: bool = False
) -> bytes:
    """Remove the thumbnail, which shows the old picture, and update sizes, resolutions and the subject's place.

    A block that cannot be read is not changed.

    scale: the new number of pixels for each old one, across and down.
    moved: whether the picture was turned or cropped; the subject's place is then removed.
    """
    prefix, block, order = _opened(exif)
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
        places = dict(entries(block, order, directory))
        for tag, at in places.items():
            if tag in sizes:
                struct.pack_into(order + "HLL", block, at + 2, _LONG, 1, sizes[tag])
            elif tag in _DENSITIES:
                _scale_rational(block, order, at, scale[_DENSITIES[tag]])
            elif tag in _SUBJECT and not moved:
                _scale_place(block, order, at, scale)
        # The last first: what follows an entry moves to its place.
        for tag in sorted(_SUBJECT & places.keys() if moved else (), key=places.__getitem__, reverse=True):
            _remove(block, order, directory, places[tag])
    return prefix + bytes(block)


def _opened(exif: bytes) -> tuple[bytes, bytearray, str | None]:
    """Return what stands before the block, the block, and its byte order; None if it cannot be read."""
    prefix = PREFIX if exif.startswith(PREFIX) else b""
    block = bytearray(exif[len(prefix) :])
    return prefix, block, order_of(block)


def _scale_rational(block: bytearray, order: str, at: int, scale: float) -> None:
    """Multiply a number of two longs, which stands elsewhere in the block."""
    kind, count, place = struct.unpack_from(order + "HLL", block, at + 2)
    if scale == 1 or kind != _RATIONAL or count != 1 or place + 8 > len(block):
        return
    above, below = struct.unpack_from(order + "LL", block, place)
    value = Fraction(above / below * scale).limit_denominator(10_000) if below else Fraction(0)
    if value.numerator < 1 << 32:
        struct.pack_into(order + "LL", block, place, value.numerator, value.denominator)


def _scale_place(block: bytearray, order: str, at: int, scale: tuple[float, float]) -> None:
    """Scale a point, a circle or a rectangle in pixels: 2, 3 or 4 shorts."""
    kind, count = struct.unpack_from(order + "HL", block, at + 2)
    if kind != _SHORT or not 2 <= count <= 4:
        return
    place = at + 8 if count == 2 else struct.unpack_from(order + "L", block, at + 8)[0]
    if place + 2 * count > len(block):
        return
    values = struct.unpack_from(f"{order}{count}H", block, place)
    scaled = [min(65535, round(value * scale[index % 2])) for index, value in enumerate(values)]
    struct.pack_into(f"{order}{count}H", block, place, *scaled)


def _remove(block: bytearray, order: str, directory: int, at: int) -> None:
    """Remove an entry of a directory. Everything else stays where it is."""
    (count,) = struct.unpack_from(order + "H", block, directory)
    end = min(directory + 2 + 12 * count + 4, len(block))
    block[at:end] = block[at + 12 : end] + bytes(12)
    struct.pack_into(order + "H", block, directory, count - 1)


def without_description(exif: bytes, told: Callable[[str], bool]) -> bytes:
    """Remove the description of the picture if `told` says so of its text."""
    prefix, block, order = _opened(exif)
    if order is None:
        return exif
    (first,) = struct.unpack_from(order + "L", block, 4)
    at = dict(entries(block, order, first)).get(_DESCRIPTION)
    if at is None:
        return exif
    count, place = struct.unpack_from(order + "LL", block, at + 4)
    if told(block[place : place + count].decode("latin-1")):
        _remove(block, order, first, at)
        block[place : place + count] = bytes(len(block[place : place + count]))
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
