"""The file formats, and detection of a file's format by its content, never by its name."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from imgai.plugin import Format
from imgai.registry import load_registry

TABLES = (".csv", ".jsonl", ".parquet")
"""Suffixes of tables of labels."""

DEFAULT_MAX_PIXELS = 200_000_000
"""The default maximum number of pixels of a picture."""

HEAD = 132
"""The number of bytes at the beginning of a file that `sniff` needs."""


@cache
def formats() -> dict[str, Format]:
    """Return all formats by name, from the host and plugins, including those that are recognized but not read."""
    return load_registry().formats


@cache
def picture_suffixes() -> frozenset[str]:
    """Return all suffixes of pictures."""
    return frozenset(suffix for format_ in formats().values() for suffix in format_.suffixes)


@cache
def writable() -> tuple[str, ...]:
    """Return the names of the formats that can be written."""
    return tuple(format_.name for format_ in formats().values() if format_.write)


def sniff(head: bytes) -> str | None:
    """Return the name of the format of a file that begins with `head`; None if it is not a picture.

    Camera RAW files that begin like TIFF are reported as TIFF; `detect` reads more of the file.
    """
    matching = sorted(_matching(head), key=lambda format_: bool(format_.check))
    return matching[0].name if matching else None


def detect(source: Path | bytes, head: bytes) -> Format | None:
    """Return the format of a file that begins with `head`; None if it is not a picture."""
    for format_ in sorted(_matching(head), key=lambda format_: not format_.check):
        if not format_.check or function(format_.check)(source):
            return format_
    return None


def format_of_suffix(name: str) -> str | None:
    """Return the format for a file name, a suffix or a format name; None if there is none."""
    wanted = name.upper().lstrip(".")
    if wanted in formats():
        return wanted
    suffix = PurePath(name).suffix.lower() or f".{name.lower().lstrip('.')}"
    return next((format_.name for format_ in formats().values() if suffix in format_.suffixes), None)


def written_as(name: str, *, alpha: bool = False) -> str:
    """Return the default output format for a picture read in a format.

    alpha: whether the picture has alpha, which a substitute format must be able to store.
    """
    format_ = formats()[name]
    if format_.write:
        return name
    return "PNG" if alpha and not formats()[format_.becomes].alpha else format_.becomes


def function(name: str) -> Callable[..., Any]:
    """Import a function named as ``"package.module:function"``. Raises whatever the import raises."""
    module, _, attribute = name.partition(":")
    imported: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return imported


def _matching(head: bytes) -> Iterator[Format]:
    """Yield the formats whose magic matches, longest match first; for equal lengths the host's first."""
    lengths = ((pattern.match(head), format_) for pattern, format_ in _patterns())
    matches = [(match.end(), format_) for match, format_ in lengths if match]
    for _, format_ in sorted(matches, key=lambda pair: -pair[0]):
        yield format_


@cache
def _patterns() -> tuple[tuple[re.Pattern[bytes], Format], ...]:
    return tuple(
        (re.compile(pattern, re.DOTALL), format_) for format_ in formats().values() for pattern in format_.magic
    )
