"""Measurements as files: tables of pictures and classes, and the confusion matrix as a table and a picture."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from imgai.errors import UsageError
from imgai.kinds.cells import inert
from imgai.measure.figures import Figures
from imgai.runs.commit import commit

_DRAWN = 200
"""Classes up to which the confusion is drawn."""


_BEGIN = {
    "pictures.csv": b"picture,",
    "classes.csv": b"class,",
    "confusion.csv": b"class,",
    "confusion.png": b"\x89PNG",
}
"""The files, and the beginning of each."""
_SOFTWARE = "imgai evaluate"


def check_out(folder: Path) -> None:
    """Raise UsageError where a table would take the place of a file that is none of an evaluation's."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file", "name a folder")
    for name, begin in _BEGIN.items():
        path = folder / name
        if os.path.lexists(path) and not _is_ours(path, begin):
            raise UsageError(f"{path} is there, and no table of an evaluation's", "name another folder with --out")


def _is_ours(path: Path, begin: bytes) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    first = head.split(b"\r\n", 1)[0]
    return (
        head.startswith(begin)
        and (begin != b"picture," or first.endswith(b",error"))
        and (path.suffix != ".png" or _SOFTWARE.encode() in head)
    )


def write_tables(
    figures: Figures, rows: Mapping[str, Mapping[str, float | None]], errors: Mapping[str, str], folder: Path
) -> list[Path]:
    """Write pictures.csv and, of classes, classes.csv, confusion.csv and confusion.png; return what was written.

    rows: the figures of each picture by its name. errors: why others have none.
    """
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    pictures: list[list[Any]] = [
        ["picture", *names, "error"],
        *([inert(name), *(_number(row.get(each)) for each in names), ""] for name, row in sorted(rows.items())),
        *([inert(name), *("" for _ in names), inert(words)] for name, words in sorted(errors.items())),
    ]
    tables = {"pictures.csv": pictures}
    if figures.classes:
        heads = list(next(iter(figures.classes.values())))
        of_classes = ([inert(name), *(_number(row[each]) for each in heads)] for name, row in figures.classes.items())
        tables["classes.csv"] = [["class", *heads], *of_classes]
    if figures.confusion is not None and figures.names:
        names = [inert(name) for name in figures.names]
        counts = ([name, *row] for name, row in zip(names, figures.confusion.tolist(), strict=True))
        tables["confusion.csv"] = [["class", *names], *counts]
    written = [write_csv(folder / name, lines) for name, lines in tables.items()]
    if "confusion.csv" in tables and len(figures.names) <= _DRAWN:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # matplotlib: a label has letters that are in no font
            picture = draw(figures)
        commit(folder / "confusion.png", partial(_write, picture))
        written.append(folder / "confusion.png")
    return written


def write_csv(path: Path, lines: Sequence[Sequence[Any]]) -> Path:
    """Write a table as RFC 4180 has it."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    commit(path, partial(_write, text.getvalue().encode("utf-8", "backslashreplace")))
    return path


def _number(value: float | None) -> str:
    """Counts as they are, rates and dB with four digits."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def draw(figures: Figures) -> bytes:
    """The confusion matrix as a PNG: rows are what is, columns what it was taken for."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    assert figures.confusion is not None
    count = max(1, len(figures.names))
    side = min(30.0, 2.5 + 0.18 * count)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    shares = figures.confusion / np.maximum(1, figures.confusion.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    size = 7 if count <= 60 else 5
    axes.set_xticks(range(len(figures.names)), figures.names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(figures.names)), figures.names, fontsize=size)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    main = "" if figures.score is None else f"{figures.main.replace('_', ' ')} {figures.score:.3f}, "
    axes.set_title(f"{main}{figures.pictures} pictures")
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": _SOFTWARE})  # type: ignore[no-untyped-call]
    return file.getvalue()
