"""Which formats there are, and which a file is in: told by its content, never by its name."""

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
"""What the name of a table of labels may end in."""

DEFAULT_MAX_PIXELS = 200_000_000
"""How many pixels a picture may have that is read."""

HEAD = 132
"""How many of a file's first bytes `sniff` looks at."""


@cache
def formats() -> dict[str, Format]:
    """Every format by name: the host's and those of plugins, also those that are known and not read."""
    return load_registry().formats


@cache
def picture_suffixes() -> frozenset[str]:
    """Every suffix that a picture's name may end with."""
    return frozenset(suffix for format_ in formats().values() for suffix in format_.suffixes)


@cache
def writable() -> tuple[str, ...]:
    """The names of the formats that are written."""
    return tuple(format_.name for format_ in formats().values() if format_.write)


def sniff(head: bytes) -> str | None:
    """The name of the format of a file that begins with `head`, or None if it is no picture.

    Camera RAW that begins as TIFF does is called TIFF; `detect` looks at more of the file.
    """
    found = sorted(_matching(head), key=lambda format_: bool(format_.check))
    return found[0].name if found else None


def detect(source: Path | bytes, head: bytes) -> Format | None:
    """The format of a file that begins with `head`, or None if it is no picture."""
    for format_ in sorted(_matching(head), key=lambda format_: not format_.check):
        if not format_.check or function(format_.check)(source):
            return format_
    return None


def format_of_suffix(name: str) -> str | None:
    """The format that a file's name, or a bare suffix or format name, asks for; None if it asks for none."""
    wanted = name.upper().lstrip(".")
    if wanted in formats():
        return wanted
    suffix = PurePath(name).suffix.lower() or f".{name.lower().lstrip('.')}"
    return next((format_.name for format_ in formats().values() if suffix in format_.suffixes), None)


def written_as(name: str, *, alpha: bool = False) -> str:
    """The format in which a picture read in the format of that name is written when nothing else is asked for.

    alpha: whether it has alpha, which a format that stands in for another must not lose.
    """
    format_ = formats()[name]
    if format_.write:
        return name
    return "PNG" if alpha and not formats()[format_.becomes].alpha else format_.becomes


def function(name: str) -> Callable[..., Any]:
    """The function that a declaration names as ``"package.module:function"``. Raises what importing it raises."""
    module, _, attribute = name.partition(":")
    imported: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return imported


def _matching(head: bytes) -> Iterator[Format]:
    """The formats whose magic matches, the one that it matches most bytes of first; of equals the host's."""
    lengths = ((pattern.match(head), format_) for pattern, format_ in _patterns())
    found = [(match.end(), format_) for match, format_ in lengths if match]
    for _, format_ in sorted(found, key=lambda pair: -pair[0]):
        yield format_


@cache
def _patterns() -> tuple[tuple[re.Pattern[bytes], Format], ...]:
    return tuple(
        (re.compile(pattern, re.DOTALL), format_) for format_ in formats().values() for pattern in format_.magic
    )
