"""Which metadata and depth each format can store. A test compares this table with docs/formats.md."""

from __future__ import annotations

from imgai.images.formats import formats
from imgai.images.imagej import INFO, LABEL
from imgai.plugin import Metadata

DEEP = "more than 8 bits"
"""The loss of a picture with 10, 12 or 16 bits in a format with 8 bits."""

NOT_CARRIED = "not carried"
"""How notes end that tell what of the metadata is left out."""

_PROFILE, _EXIF, _XMP, _IPTC = "the ICC profile", "EXIF", "XMP", "IPTC"
_COMMENT, _TEXTS, _RESOLUTION = "the comment", "texts", "the resolution"
_LABEL = "what ImageJ notes of slices and file"
HELD: dict[str, frozenset[str]] = {
    "JPEG": frozenset({_PROFILE, _EXIF, _XMP, _IPTC, _COMMENT, _RESOLUTION}),
    "PNG": frozenset({_PROFILE, _EXIF, _XMP, _IPTC, _COMMENT, _TEXTS, _LABEL, _RESOLUTION}),
    "TIFF": frozenset({_PROFILE, _EXIF, _XMP, _IPTC, _LABEL, _RESOLUTION}),
    "WEBP": frozenset({_PROFILE, _EXIF, _XMP}),
    "AVIF": frozenset({_PROFILE, _EXIF, _XMP}),
    "GIF": frozenset({_COMMENT}),
    "BMP": frozenset({_RESOLUTION}),
    "PPM": frozenset(),
}


def told(metadata: Metadata) -> list[str]:
    """Return the names of the metadata that a file has."""
    there = {
        _PROFILE: metadata.icc,
        _EXIF: metadata.exif,
        _XMP: metadata.xmp,
        _IPTC: metadata.iptc,
        _COMMENT: any(key == "Comment" for key, _ in metadata.texts),
        _TEXTS: any(key not in ("Comment", LABEL, INFO) for key, _ in metadata.texts),
        _LABEL: any(key in (LABEL, INFO) for key, _ in metadata.texts),
        _RESOLUTION: metadata.dpi,
    }
    return [words for words, value in there.items() if value]


def lost(metadata: Metadata, format_: str) -> list[str]:
    """The names of what a format cannot store. Of formats of plugins it is not known which metadata they store."""
    held, declared = HELD.get(format_), formats().get(format_)
    missing = [] if held is None else [words for words in told(metadata) if words not in held]
    return [*missing, DEEP] if metadata.depth > 8 and declared is not None and not declared.deep else missing
