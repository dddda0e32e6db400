"""Entries of an XMP packet that no longer describe the written picture.

Removed is what refers to data which is not copied: a video, a gain map, extended XMP; and regions of a picture that was
turned or cropped. Sizes and resolutions are updated.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict

_PREFIXES = rb"(?:GCamera|Container|Item|hdrgm|GDepth|GImage|GAudio|Device|MiCamera)"
# Packets are untrusted and may be long, so the patterns run in linear time: they match white space possessively, and a
# tag ends where the next one begins.
_ATTRIBUTE = re.compile(
    rb"(?<!\s)\s++(?:" + _PREFIXES + rb":[\w.-]+|xmpNote:HasExtendedXMP)\s*+=\s*+(?:\"[^\"]*\"|'[^']*')"
)
_START = re.compile(
    rb"(?<!\s)\s*+<(" + _PREFIXES + rb":[\w.-]+|xmpNote:HasExtendedXMP|xmp:Thumbnails)(?=[\s/>])([^<>]*)>"
)
_REGIONS = re.compile(rb"(?<!\s)\s*+<((?:mwg-rs|MP):(?:Regions|RegionInfo)|Iptc4xmpExt:ImageRegion)(?=[\s/>])([^<>]*)>")
_STATED = re.compile(
    rb"((?:exif|tiff|GPano):(PixelXDimension|PixelYDimension|ImageWidth|ImageLength|[XY]Resolution"
    rb"|FocalPlane[XY]Resolution|FullPano(?:Width|Height)Pixels|CroppedAreaImage(?:Width|Height)Pixels"
    rb"|CroppedArea(?:Left|Top)Pixels)(?:\s*+=\s*+[\"']|>)\s*+)([0-9.]++)(?:/([0-9]++))?"
)
_SIZES = {b"PixelXDimension": 0, b"ImageWidth": 0, b"PixelYDimension": 1, b"ImageLength": 1}
_END = re.compile(rb"</([\w.:-]+)\s*+>")


def cleaned(xmp: bytes) -> tuple[bytes, bool]:
    """Return the packet without these entries, and whether there were any. Everything else is kept."""
    kept, attributes = _ATTRIBUTE.subn(b"", xmp)
    kept, elements = _without(_START, kept)
    return kept, elements or bool(attributes)


def settled(
    xmp: bytes, width: int, height: int, *, scale: tuple[float, float] = (1.0, 1.0), moved: bool = False
) -> bytes:
    """Return the packet with the sizes and resolutions of the written picture.

    scale: the new number of pixels for each old one, across and down.
    moved: whether the picture was turned or cropped; regions, which are of the picture as it was, are then removed.
    """

    def stated(match: re.Match[bytes]) -> bytes:
        name, size = match[2], (width, height)
        if name in _SIZES:
            return match[1] + b"%d" % size[_SIZES[name]]
        try:
            value = float(match[3]) * scale[any(word in name for word in (b"YRes", b"Height", b"Top"))]
        except ValueError:
            return match[0]
        if match[4]:
            return match[1] + b"%d/%d" % (round(value * 100), int(match[4]) * 100)
        return match[1] + b"%g" % (round(value) if name.endswith(b"Pixels") else value)

    if scale == (1.0, 1.0):
        xmp = _STATED.sub(lambda match: stated(match) if match[2] in _SIZES else match[0], xmp)
    else:
        xmp = _STATED.sub(stated, xmp)
    return _without(_REGIONS, xmp)[0] if moved else xmp


def _without(pattern: re.Pattern[bytes], xmp: bytes) -> tuple[bytes, bool]:
    """Remove the elements whose start tags match, with all that is in them; and whether there were any."""
    ends: defaultdict[bytes, list[int]] = defaultdict(list)
    for end in _END.finditer(xmp):
        ends[end[1]].append(end.end())
    pieces: list[bytes] = []
    done = 0
    for start in pattern.finditer(xmp):
        if start.start() < done:
            continue  # inside an element that is removed
        after = start.end()
        if not start[2].endswith(b"/"):
            following = bisect_right(ends[start[1]], after)
            if following == len(ends[start[1]]):
                continue
            after = ends[start[1]][following]
        pieces.append(xmp[done : start.start()])
        done = after
    return b"".join((*pieces, xmp[done:])), bool(pieces)
