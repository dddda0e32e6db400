"""An XMP packet, without what it says of bytes that are not written along: a video, a gain map, a further packet."""

from __future__ import annotations

import re

_PREFIXES = rb"(?:GCamera|Container|Item|hdrgm|GDepth|GImage|GAudio|Device|MiCamera)"
_ATTRIBUTE = re.compile(rb"\s+(?:" + _PREFIXES + rb":[\w.-]+|xmpNote:HasExtendedXMP)\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_ELEMENT = re.compile(
    rb"\s*<(" + _PREFIXES + rb":[\w.-]+|xmpNote:HasExtendedXMP|xmp:Thumbnails)(?:\s[^>]*)?(?:/>|>.*?</\1\s*>)",
    re.DOTALL,
)


def cleaned(xmp: bytes) -> tuple[bytes, bool]:
    """The packet without these entries, and whether there were any. Rights, captions and all else stay."""
    kept, attributes = _ATTRIBUTE.subn(b"", xmp)
    kept, elements = _ELEMENT.subn(b"", kept)
    return kept, bool(attributes or elements)
