"""Camera RAW through LibRaw."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from imgai.plugin import Header, Metadata, Picture

_MOST_DIRECTORIES = 32
_PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 262, 330, 50706
_SENSOR = (32803, 34892)  # photometric interpretations: a mosaic of colours, and what a sensor saw without one


def check(source: Path | bytes) -> bool:
    """Whether a file that begins as TIFF does, or in a way of its own, holds what a camera's sensor saw.

    A TIFF does if a directory of it says so; how its name ends does not matter, for a preview that such a file holds
    must not pass as the picture.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        head = file.read(16)
        if head[:4] not in (b"II*\0", b"MM\0*"):
            return head[:4] not in (b"II+\0", b"MM\0+")  # BigTIFF is no camera's
        if head[8:10] == b"CR":  # Canon's CR2
            return True
        order = "<" if head[:2] == b"II" else ">"
        pending, seen = [struct.unpack_from(order + "L", head, 4)[0]], set[int]()
        while pending and len(seen) < _MOST_DIRECTORIES:
            place = pending.pop()
            if place and place not in seen:
                seen.add(place)
                found, more = _directory(file, order, place)
                if found:
                    return True
                pending += more
    return False


def probe(source: Path | bytes) -> Header:
    """Width and height once it is developed and upright."""
    with _opened(source) as raw:
        sizes = raw.sizes
        turned = sizes.flip in (5, 6)  # LibRaw's: a quarter to the left, to the right
        return Header(*((sizes.iheight, sizes.iwidth) if turned else (sizes.iwidth, sizes.iheight)))


def read(source: Path | bytes, least: int | None) -> Iterator[Picture]:
    """The picture with the camera's white balance, in sRGB with 16 bits, turned as the camera noted."""
    with _opened(source) as raw:
        pixels = raw.postprocess(use_camera_wb=True, output_bps=16)
    yield Picture(pixels, None, Metadata("RAW", depth=16))


def _opened(source: Path | bytes) -> Any:
    import rawpy  # not above: whether a TIFF is RAW is asked without it

    return rawpy.imread(io.BytesIO(source) if isinstance(source, bytes) else str(source))


def _directory(file: BinaryIO, order: str, place: int) -> tuple[bool, list[int]]:
    """Whether a directory describes what a sensor saw, and the places of those to look at next."""
    file.seek(place)
    count = file.read(2)
    if len(count) < 2:
        return False, []
    (entries,) = struct.unpack(order + "H", count)
    block = file.read(12 * entries + 4)
    more = list(struct.unpack_from(order + "L", block, 12 * entries)) if len(block) == 12 * entries + 4 else []
    for at in range(0, len(block) - 11, 12):
        tag, type_, number = struct.unpack_from(order + "HHL", block, at)
        if tag == _DNG_VERSION:
            return True, []
        if tag == _PHOTOMETRIC and struct.unpack_from(order + "H", block, at + 8)[0] in _SENSOR:
            return True, []
        if tag == _SUB_DIRECTORIES and type_ in (4, 13):
            (value,) = struct.unpack_from(order + "L", block, at + 8)
            number = min(number, _MOST_DIRECTORIES)
            if number == 1:
                more.append(value)
            else:
                file.seek(value)
                places = file.read(4 * number)
                more += struct.unpack(order + f"{len(places) // 4}L", places[: len(places) // 4 * 4])
    return False, more
