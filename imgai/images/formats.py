"""Which formats there are, told by a file's first bytes, never by its name."""

from __future__ import annotations

from pathlib import PurePath

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "TIFF": (".tif", ".tiff", ".btf"),
    "WEBP": (".webp",),
    "AVIF": (".avif", ".avifs"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "HEIC": (".heic", ".heif", ".hif"),
    "RAW": (".nef", ".cr2", ".cr3", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    "DICOM": (".dcm", ".dicom"),
}
"""The suffixes of each format, the usual one first."""

EXTENSIONS = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
"""Every suffix that a picture's name may end with."""

WRITABLE = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "GIF", "BMP", "PPM")
"""The formats that are written; what is read in another becomes a PNG, or a TIFF if it is RAW."""

TABLES = (".csv", ".jsonl", ".parquet")
"""What the name of a table of labels may end in."""

HEAD = 132
"""How many of a file's first bytes `sniff` looks at."""

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIRO", "RAW"),
    (b"IIU\0", "RAW"),
)
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes of the second header; texts begin with BM too
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def sniff(head: bytes, suffix: str = "") -> str | None:
    """The format of a file that begins with `head`, or None if it is no picture.

    A camera's RAW file is a TIFF by its first bytes; there alone the suffix says which is meant.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        if head[8:12] in (b"avif", b"avis") or (head[8:12] == b"mif1" and b"avif" in head):
            return "AVIF"
        if head[8:12] == b"crx ":
            return "RAW"
        return "HEIC" if head[8:12] in _HEIC_BRANDS else None
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in (b" ", b"\n", b"\r", b"\t"):
        return "PPM"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return "RAW" if name == "TIFF" and suffix.lower() in SUFFIXES["RAW"] else name
    return None


def format_of_suffix(name: str) -> str | None:
    """The format that a file's name, or a bare suffix or format name, asks for; None if it asks for none."""
    wanted = name.upper().lstrip(".")
    if wanted in SUFFIXES:
        return wanted
    suffix = PurePath(name).suffix.lower() or f".{name.lower().lstrip('.')}"
    return next((format_ for format_, suffixes in SUFFIXES.items() if suffix in suffixes), None)


def written_as(format_: str) -> str:
    """The format in which a picture read in `format_` is written when nothing else is asked for."""
    if format_ in WRITABLE:
        return format_
    return "TIFF" if format_ == "RAW" else "PNG"
