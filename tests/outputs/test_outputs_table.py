"""The labels of many inputs in one file."""

from __future__ import annotations

import csv
import io
import json

import pytest

from imgai.kinds.table import Row, write_table

ROWS = [
    Row("a b/ü.jpg", 640, 480, (("espresso", 0.75), ("cup, of tea", 0.125), ("plate", 0.0625)), margin=0.625),
    Row("torn\udcff.png", 10, 20, (("cup, of tea", 0.5),)),
    Row("broken.jpg", error='broken.jpg: the JPEG file is "truncated"'),
]
IDS = {"espresso": "n07920052", "cup, of tea": "n07930864"}


def written(suffix: str, top: int, ids: dict[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    write_table(ROWS, file, suffix, top=top, ids=IDS if ids is None else ids)
    return file.getvalue()


def test_csv_has_a_row_for_each_input_and_columns_for_each_rank() -> None:
    text = written(".csv", 2).decode("utf-8", "surrogateescape")
    first, second, third = csv.DictReader(io.StringIO(text, newline=""))
    assert first == {
        "path": "a b/ü.jpg", "width": "640", "height": "480",
        "label": "espresso", "id": "n07920052", "score": "0.75",
        "label_2": "cup, of tea", "id_2": "n07930864", "score_2": "0.125", "margin": "0.625", "error": "",
    }  # fmt: skip
    assert (second["path"], second["label_2"]) == ("torn\\xff.png", ""), "a table is UTF-8 throughout"
    assert (third["label"], third["error"]) == ("", ROWS[2].error)
    assert text.splitlines()[0].endswith(",error")
    assert "id" not in written(".csv", 1, {}).decode("utf-8", "surrogateescape").splitlines()[0].split(",")


def test_json_lines_have_a_list() -> None:
    lines = [json.loads(line) for line in written(".jsonl", 2).decode("ascii").splitlines()]
    assert lines[0]["labels"] == [
        {"label": "espresso", "id": "n07920052", "score": 0.75},
        {"label": "cup, of tea", "id": "n07930864", "score": 0.125},
    ]
    assert lines[0]["margin"] == 0.625
    assert lines[1]["path"] == "torn\udcff.png"
    assert lines[2] == {"path": "broken.jpg", "width": None, "height": None, "labels": [], "error": ROWS[2].error}
    assert "error" not in lines[0]


def test_parquet_holds_what_csv_holds() -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(written(".parquet", 2))).to_pylist()
    assert table[0]["label"] == "espresso"
    assert table[0]["score_2"] == 0.125
    assert table[2]["label"] is None
    assert table[2]["error"] == ROWS[2].error
