"""Write PNG (ISO/IEC 15948) several times as fast as zlib does, through ISA-L."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from isal import isal_zlib

_COLOR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
_SUB = 1
_LEVEL = 1


def encode_png(
    pixels: np.ndarray,
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """The bytes of a PNG file.

    Each row is filtered by difference to its left neighbour and deflated by ISA-L at level 1: about
    8 % larger than Pillow's default and many times as fast; other threads run meanwhile.

    Shape: ``(H, W)`` or ``(H, W, C)`` with C from 1 to 4; uint8 or uint16.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    height, width, channels = pixels.shape
    if pixels.dtype not in (np.uint8, np.uint16) or channels not in _COLOR_TYPE:
        raise ValueError(f"PNG holds 1 to 4 channels of uint8 or uint16, not {channels} of {pixels.dtype}")
    depth = pixels.dtype.itemsize
    if depth == 2:
        pixels = pixels.astype(">u2")
    step = channels * depth  # bytes between a value and its left neighbour
    plain = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, width * step)
    rows = np.empty((height, 1 + width * step), dtype=np.uint8)
    rows[:, 0] = _SUB
    rows[:, 1 : 1 + step] = plain[:, :step]
    np.subtract(plain[:, step:], plain[:, :-step], out=rows[:, 1 + step :])
    parts = [b"\x89PNG\r\n\x1a\n"]
    parts.append(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * depth, _COLOR_TYPE[channels], 0, 0, 0)))
    if icc:
        parts.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if dpi:
        # Pixels a metre, as the format counts.
        across, down = (round(value / 0.0254) for value in dpi)
        parts.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if xmp:
        parts.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    if exif:
        parts.append(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    parts.append(_chunk(b"IDAT", isal_zlib.compress(rows, _LEVEL)))
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = isal_zlib.crc32(content, isal_zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)))
