"""The cells of tables: names that may be no UTF-8, and what a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

_RUN = ("=", "+", "@", "\t", "\r", "-=", "-+", "-@", "--", *(f"-{digit}" for digit in range(10)))
"""What a spreadsheet takes for the beginning of a formula; ``-/name`` is a member of a tar stream, and none."""
_MARK = b"\xef\xbb\xbf"


def utf8(text: str) -> str:
    """A name in UTF-8, which names of files need not be: other bytes are written as ``\\xe9``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def inert(cell: Any) -> Any:
    """A cell that a spreadsheet does not run: names of files and labels may begin as formulas do."""
    if not isinstance(cell, str):
        return cell
    text = utf8(cell)
    return f"'{text}" if text.startswith(_RUN) else text


def write_csv(rows: Iterable[Mapping[str, Any]], file: BinaryIO, columns: Sequence[str], *, mark: bool = False) -> None:
    """A table as RFC 4180 has it, in UTF-8, a row at a time; cells that a row does not have stay empty.

    mark: begin with a byte order mark, by which Excel knows UTF-8.
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
