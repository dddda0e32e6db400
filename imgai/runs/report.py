"""The report of a measured classifier as files."""

from __future__ import annotations

import csv
import io
import warnings
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from imgai.measure.figures import Figures
from imgai.runs.commit import commit


def write_report(report: Figures, folder: Path) -> list[Path]:
    """Write classes.csv, confusion.csv and confusion.png into a folder; return what was written."""
    assert report.confusion is not None
    tables: dict[str, list[list[Any]]] = {
        "classes.csv": [
            ["class", "precision", "recall", "f1", "pictures"],
            *(
                [name, *(f"{values[key]:.4f}" for key in ("precision", "recall", "f1")), values["pictures"]]
                for name, values in report.classes.items()
            ),
        ],
        "confusion.csv": [
            ["class", *report.names],
            *([name, *counts] for name, counts in zip(report.names, report.confusion.tolist(), strict=True)),
        ],
    }
    written = []
    for name, lines in tables.items():
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(lines)
        commit(folder / name, partial(_write, text.getvalue().encode()))
        written.append(folder / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # matplotlib: a label has letters that are in no font
        picture = draw(report)
    commit(folder / "confusion.png", partial(_write, picture))
    return [*written, folder / "confusion.png"]


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def draw(report: Figures) -> bytes:
    """The confusion matrix as a PNG: rows are what pictures are, columns what they were taken for."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = max(1, len(report.names))
    side = min(30.0, 2.5 + 0.18 * count)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    assert report.confusion is not None
    shares = report.confusion / np.maximum(1, report.confusion.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    size = 7 if count <= 60 else 5
    axes.set_xticks(range(len(report.names)), report.names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(report.names)), report.names, fontsize=size)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.set_title(f"{report.values['top1'] or 0:.1%} of {report.pictures} pictures right")
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()
