"""The labels of many inputs as one table: CSV, JSON lines or Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from imgai.kinds.cells import utf8, write_csv


@dataclass(frozen=True, slots=True)
class Row:
    """The row of one input.

    scores: by label, best first. error: the reason if there are none. margin: the difference of the two best scores.
    """

    path: str
    width: int | None = None
    height: int | None = None
    scores: tuple[tuple[str, float], ...] = ()
    error: str = ""
    margin: float | None = None


def write_table(
    rows: Iterable[Row], file: BinaryIO, suffix: str, *, top: int, ids: Mapping[str, str], mark: bool = False
) -> None:
    """Write the rows.

    suffix: one of `imgai.images.formats.TABLES`. ids: identifiers of labels in a vocabulary; may be empty.
    mark: begin CSV with a byte order mark.
    CSV and Parquet have a row for each input and columns for each rank: label, id, score, label_2, ...; JSON lines have
    a list. Only the rows' labels are kept in memory for Parquet; the others are written as they come.
    """
    if suffix == ".jsonl":
        for row in rows:
            file.write((json.dumps(_object(row, top, ids), ensure_ascii=True) + "\n").encode("ascii"))
    elif suffix == ".csv":
        write_csv((_flat(row, top, ids) for row in rows), file, list(_columns(top, ids)), mark=mark)
    else:
        import pyarrow
        import pyarrow.parquet

        columns = _columns(top, ids)
        schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in columns.items()])
        cells = [{**dict.fromkeys(columns), **_flat(row, top, ids)} for row in rows]
        for each in cells:
            each["path"] = utf8(each["path"])
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(cells, schema=schema), file)


def _columns(top: int, ids: Mapping[str, str]) -> dict[str, str]:
    """Return column names and Arrow types."""
    columns = {"path": "string", "width": "int32", "height": "int32"}
    for rank in range(1, top + 1):
        ending = f"_{rank}" if rank > 1 else ""
        columns[f"label{ending}"] = "string"
        if ids:
            columns[f"id{ending}"] = "string"
        columns[f"score{ending}"] = "float32"
    return {**columns, "margin": "float32", "error": "string"}


def _flat(row: Row, top: int, ids: Mapping[str, str]) -> dict[str, Any]:
    cells: dict[str, Any] = {"path": row.path, "width": row.width, "height": row.height}
    cells |= {"margin": row.margin, "error": row.error or None}
    for rank, (label, score) in enumerate(row.scores[:top], 1):
        ending = f"_{rank}" if rank > 1 else ""
        cells[f"label{ending}"], cells[f"score{ending}"] = label, score
        if ids:
            cells[f"id{ending}"] = ids.get(label)
    return cells


def _object(row: Row, top: int, ids: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"path": row.path, "width": row.width, "height": row.height}
    entry["labels"] = [dict(_named(label, score, ids)) for label, score in row.scores[:top]]
    if row.margin is not None:
        entry["margin"] = row.margin
    return {**entry, "error": row.error} if row.error else entry


def _named(label: str, score: float, ids: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    yield "label", label
    if label in ids:
        yield "id", ids[label]
    yield "score", score
