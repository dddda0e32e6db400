"""The orientation in EXIF or XMP: applied once to the pixels, then reset."""

from __future__ import annotations

import re
import struct

import numpy as np

from imgai.images.exif import PREFIX, entries, order_of

_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4
_XMP = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)(\d+)""")  # an attribute or an element


def apply(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate and mirror according to EXIF tag 274 (1 to 8; other values count as 1).

    Shape: ``(H, W, ...)``; height and width are swapped for 5 to 8.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    # The axes to be reversed after the transposition.
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def noted(exif: bytes | None, xmp: bytes | None) -> int:
    """Return the orientation in EXIF, else in XMP; 1 if it cannot be read."""
    block = (exif or b"").removeprefix(PREFIX)
    place = _place(block)
    if place is None:
        return noted_in_xmp(xmp)
    order, at = place
    kind: int = struct.unpack_from(order + "H", block, at + 2)[0]
    value: int = struct.unpack_from(order + ("L" if kind == _LONG else "H"), block, at + 8)[0]
    return value if kind in (_SHORT, _LONG) else 1


def noted_in_xmp(xmp: bytes | None) -> int:
    """Return the orientation in XMP; 1 if it has none."""
    match = _XMP.search(xmp or b"")
    return int(match[2]) if match else 1


def reset(exif: bytes) -> bytes | None:
    """Return the EXIF block with orientation 1 and the header that JPEG uses; None if it is not EXIF."""
    block = bytearray(exif.removeprefix(PREFIX))
    if order_of(block) is None:
        return None
    place = _place(block)
    if place is not None:
        order, at = place
        struct.pack_into(order + "HLHH", block, at + 2, _SHORT, 1, 1, 0)
    return PREFIX + bytes(block)


def reset_in_xmp(xmp: bytes) -> bytes:
    """Return the XMP packet with orientation 1."""
    return _XMP.sub(rb"\g<1>1", xmp)


def _place(block: bytes | bytearray) -> tuple[str, int] | None:
    """Return the byte order and the offset of the orientation entry."""
    order = order_of(block)
    if order is None:
        return None
    (directory,) = struct.unpack_from(order + "L", block, 4)
    return next(((order, at) for tag, at in entries(block, order, directory) if tag == _ORIENTATION), None)
