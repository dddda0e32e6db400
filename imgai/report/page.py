"""The report: one HTML file that opens from the disk, without a network, with every picture in it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, BinaryIO

from imgai.report.entry import Entry

MARK = b"<!doctype html>\n<!-- imgai report -->"
"""The beginning of every report, by which a report may replace an older report and no other file."""
MOST = 56_000_000
"""Bytes of pictures in a report; what comes later is listed without."""
_LARGEST, _SMALLEST = 1280, 200  # pixels along the longer side
_BYTES_A_PIXEL = 0.16  # of WebP, about
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Table:
    """Figures. rows: the first cell of each is its name. heat: counts, coloured by their share of the row.

    best: for each column the value that is marked.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]
    heat: bool = False
    best: Sequence[str | None] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Texts and tables about all pictures.

    about: facts under the title. tiles: a value, what it counts, and whether it is the main one.
    figures: names of those that are shown with each picture. worst: how many of the worst are shown at first; 0: all.
    shown: the index of the side that is shown at first.
    """

    title: str
    about: Sequence[str] = ()
    tiles: Sequence[tuple[str, str, bool]] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[str] = ()
    worst: int = 0
    shown: int = 1
    foot: str = field(default="")


def fitting(count: int | None, sides: int = 2) -> tuple[int, int]:
    """How large images may be in a report of so many pictures: pixels along the longer side, and bytes.

    count: None is unknown. sides: images of each picture.
    """
    share = MOST * 3 / 4 / max(1, count or 2000) / max(2, sides)  # base64 makes four bytes of three
    side = (share / _BYTES_A_PIXEL * 4 / 3) ** 0.5
    return int(min(_LARGEST, max(_SMALLEST, side))), int(max(1500, share))


def write_page(file: BinaryIO, run: Run, entries: Iterable[Entry], *, most: int = MOST) -> int:
    """Write a report, an entry at a time. Returns how many are listed without their pictures for want of room.

    most: bytes of all pictures.
    """
    here = files("imgai.report")
    style, script, body = ((here / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js", "html"))
    file.write(MARK)
    head = (
        '\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(run.title)}</title><style>\n{style}</style></head><body>\n{body}\n"
    )
    file.write(head.encode())
    room, left_out = most, 0
    for index, entry in enumerate(entries):
        room -= entry.size
        if room < 0 and entry.images:
            left_out += 1
            entry = Entry({**entry.about, "notes": [*entry.about["notes"], "no room was left for its picture"]})
        file.write(_script(entry.about, 'class="m"'))
        if entry.images:
            file.write(_script(entry.images, f'id="d{index}"'))
    file.write(_script(_of_run(run), 'id="run"'))
    file.write(f"<script>\n{script}</script></body></html>\n".encode())
    return left_out


def _of_run(run: Run) -> dict[str, Any]:
    tables = [
        {
            "title": each.title,
            "head": each.head,
            "rows": each.rows,
            "heat": each.heat,
            "best": each.best,
            "note": each.note,
        }
        for each in run.tables
    ]
    return {
        "title": run.title, "about": run.about, "tiles": run.tiles, "tables": tables,
        "figures": run.figures, "worst": run.worst, "shown": run.shown,
    }  # fmt: skip


def _script(value: Any, attributes: str) -> bytes:
    """JSON that ends no script: names of files may hold anything."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" {attributes}>{text}</script>\n'.encode("ascii")
