"""Detect NIfTI volumes without a library, so that a missing library can be reported."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

_MAGIC = (b"n+1\0", b"n+2\0")


def check(source: Path | bytes) -> bool:
    """Whether a file, compressed or not, is a NIfTI volume of one file."""
    head = _head(source)
    return head[344:348] == _MAGIC[0] or head[4:8] == _MAGIC[1]


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        head = source[:4096]
    else:
        with source.open("rb") as file:
            head = file.read(4096)
    if head[:2] != b"\x1f\x8b":
        return head
    try:
        if isinstance(source, bytes):
            return gzip.GzipFile(fileobj=io.BytesIO(source)).read(348)
        with gzip.open(source) as packed:
            return packed.read(348)
    except (OSError, EOFError):
        return b""
