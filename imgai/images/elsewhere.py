"""Advice for files that contain pictures but are not pictures: PDFs, videos, archives, vector drawings."""

from __future__ import annotations

import shlex
from pathlib import PurePath

_IMAGES = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis", b"crx ")
_FILMS = frozenset((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".mts", ".m2ts"))


def what_first(name: str, head: bytes = b"") -> tuple[str, str] | None:
    """Return what such a file is and how to extract the pictures; None for other files.

    head: its first bytes; if empty, the name decides.
    """
    quoted, suffix = shlex.quote(name), PurePath(name).suffix.lower()
    if head.startswith(b"%PDF-") or (not head and suffix == ".pdf"):
        return "a PDF", f"make pictures of its pages first: pdftoppm -r 300 -tiff {quoted} page"
    if _is_film(head) or (not head and suffix in _FILMS):
        return "a film", f"take pictures out of it first: ffmpeg -i {quoted} frame-%05d.png"
    if head.startswith((b"PK\x03\x04", b"Rar!\x1a", b"7z\xbc\xaf\x27\x1c")):
        return "an archive", "unpack it first, and name the folder"
    if b"<svg" in head or (not head and suffix in (".svg", ".svgz")):
        return "a drawing of vectors", f"draw it first: rsvg-convert -w 2000 {quoted} -o picture.png"
    return None


def _is_film(head: bytes) -> bool:
    if head[4:8] == b"ftyp":
        return head[8:12] not in _IMAGES
    if head[4:8] in (b"moov", b"mdat", b"wide") or head.startswith((b"\x1a\x45\xdf\xa3", b"FLV\x01", b"\0\0\1\xba")):
        return True
    return head.startswith(b"RIFF") and head[8:12] == b"AVI "
