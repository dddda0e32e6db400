"""An XMP packet, without what it says of bytes that are not written along: a video, a gain map, a further packet."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict

_PREFIXES = rb"(?:GCamera|Container|Item|hdrgm|GDepth|GImage|GAudio|Device|MiCamera)"
# A packet may hold anything at any length, so no pattern looks at a byte more than a few times: white space is taken
# from its start and as a whole, and a tag ends where another begins.
_ATTRIBUTE = re.compile(
    rb"(?<!\s)\s++(?:" + _PREFIXES + rb":[\w.-]+|xmpNote:HasExtendedXMP)\s*+=\s*+(?:\"[^\"]*\"|'[^']*')"
)
_START = re.compile(
    rb"(?<!\s)\s*+<(" + _PREFIXES + rb":[\w.-]+|xmpNote:HasExtendedXMP|xmp:Thumbnails)(?=[\s/>])([^<>]*)>"
)
_END = re.compile(rb"</([\w.:-]+)\s*+>")


def cleaned(xmp: bytes) -> tuple[bytes, bool]:
    """The packet without these entries, and whether there were any. Rights, captions and all else stay."""
    kept, attributes = _ATTRIBUTE.subn(b"", xmp)
    ends: defaultdict[bytes, list[int]] = defaultdict(list)
    for end in _END.finditer(kept):
        ends[end[1]].append(end.end())
    pieces: list[bytes] = []
    done = 0
    for start in _START.finditer(kept):
        if start.start() < done:
            continue  # inside an element that goes
        after = start.end()
        if not start[2].endswith(b"/"):
            following = bisect_right(ends[start[1]], after)
            if following == len(ends[start[1]]):
                continue
            after = ends[start[1]][following]
        pieces.append(kept[done : start.start()])
        done = after
    return b"".join((*pieces, kept[done:])), bool(attributes or pieces)
