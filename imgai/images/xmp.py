"""Remove entries from an XMP packet that refer to data which is not copied: a video, a gain map, extended XMP."""

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
_END = re.compile(rb"</([\w.:-]+)\s*+>")


def cleaned(xmp: bytes) -> tuple[bytes, bool]:
    """Return the packet without these entries, and whether there were any. Everything else is kept."""
    kept, attributes = _ATTRIBUTE.subn(b"", xmp)
    ends: defaultdict[bytes, list[int]] = defaultdict(list)
    for end in _END.finditer(kept):
        ends[end[1]].append(end.end())
    pieces: list[bytes] = []
    done = 0
    for start in _START.finditer(kept):
        if start.start() < done:
            continue  # inside an element that is removed
        after = start.end()
        if not start[2].endswith(b"/"):
            following = bisect_right(ends[start[1]], after)
            if following == len(ends[start[1]]):
                continue
            after = ends[start[1]][following]
        pieces.append(kept[done : start.start()])
        done = after
    return b"".join((*pieces, kept[done:])), bool(attributes or pieces)
