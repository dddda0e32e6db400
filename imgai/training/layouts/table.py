"""A table of names and labels (CSV)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from imgai.bounded import read_bytes
from imgai.errors import UsageError
from imgai.training.findings import Findings
from imgai.training.layouts.base import NAMES

_LARGEST = 1 << 30
_NAME = ("name", "file", "filename", "file_name", "path", "image", "image_path")
_LABEL = ("label", "class", "target", "category")
_PART = ("part", "split", "set", "subset")


def read_table(path: Path, findings: Findings) -> Iterator[tuple[Path, str, str | None, str]]:
    """Path, name, part and label of each row; names are relative to the table.

    The first row names the columns: name (or file, path, image) and label (or class), and split where there is one.

    Raises UsageError for a table that cannot be read or that lacks a column.
    """
    try:
        text = read_bytes(path, _LARGEST).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}", "write it in UTF-8"
        ) from error
    first = text.split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
    head = [cell.strip().lower() for cell in next(rows, [])]
    name, label, part = (_column(head, names) for names in (_NAME, _LABEL, _PART))
    if name is None or label is None:
        raise UsageError(
            f"{path}: its first row names no column {'name' if name is None else 'label'!r}", "write name,label"
        )
    for number, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(name, label) or not row[name].strip() or not row[label].strip():
            findings.leave_out(f"{path.name} has a row without a name or a label", f"row {number}")
            continue
        side = None if part is None or part >= len(row) else NAMES.get(row[part].strip().lower())
        if part is not None and side is None:
            findings.leave_out(f"{path.name} does not say train, val or test", f"row {number}")
            continue
        yield path.parent / row[name].strip(), row[name].strip(), side, row[label].strip()


def _column(head: Sequence[str], names: Sequence[str]) -> int | None:
    return next((head.index(name) for name in names if name in head), None)
