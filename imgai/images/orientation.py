"""The orientation that a camera notes in EXIF: applied once to the pixels, then reset."""

from __future__ import annotations

import struct

import numpy as np

_ORIENTATION = 0x0112


def apply(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror as EXIF's tag 274 says (1 to 8; anything else is taken for 1).

    Shape: ``(H, W, ...)``; height and width change places for 5 to 8.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    # After the transposition: which of the axes run backwards.
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def reset(exif: bytes) -> bytes:
    """The same EXIF block with orientation 1, every other byte as it was."""
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None or len(exif) < start + 8:
        return exif
    block = bytearray(exif)
    try:
        (directory,) = struct.unpack_from(order + "L", block, start + 4)
        (count,) = struct.unpack_from(order + "H", block, start + directory)
        for entry in range(count):
            at = start + directory + 2 + 12 * entry
            (tag,) = struct.unpack_from(order + "H", block, at)
            if tag == _ORIENTATION:
                # The value may have been written as a SHORT or as a LONG.
                (kind,) = struct.unpack_from(order + "H", block, at + 2)
                struct.pack_into(order + ("L" if kind == 4 else "H"), block, at + 8, 1)
    except struct.error:
        return exif
    return bytes(block)
