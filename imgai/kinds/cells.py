"""Cells of tables: file names that are not valid UTF-8, and texts that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

_RUN = ("=", "+", "@", "\t", "\r", "-=", "-+", "-@", "--", *(f"-{digit}" for digit in range(10)))
"""Characters that begin a formula in a spreadsheet. ``-/name``, a member of a tar stream, does not count."""
_MARK = b"\xef\xbb\xbf"


def utf8(text: str) -> str:
    """Return a file name as valid UTF-8; bytes that are not UTF-8 become ``\\xe9``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def inert(cell: Any) -> Any:
    """Prevent a spreadsheet from running a cell: file names and labels may look like formulas."""
    if not isinstance(cell, str):
        return cell
    text = utf8(cell)
    return f"'{text}" if text.startswith(_RUN) else text


def write_csv(rows: Iterable[Mapping[str, Any]], file: BinaryIO, columns: Sequence[str], *, mark: bool = False) -> None:
    """Write a CSV table (RFC 4180) in UTF-8, one row at a time. Missing cells are left empty.

    mark: begin with a byte order mark, by which Excel recognizes UTF-8.
    """
    if mark:
        file.write(_MARK)
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    table = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\r\n")
    table.writeheader()
    table.writerows({name: _told(cell) for name, cell in row.items()} for row in rows)
    text.detach()


def _told(cell: Any) -> Any:
    return str(cell).lower() if isinstance(cell, bool) else inert(cell)
