"""How often labels are right: what a classifier says of pictures whose class is known."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from imgai.kinds.table import Row
from imgai.runs.commit import commit

BINS = 15
"""Of the expected calibration error (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017)."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. All but `pictures` and `classes` are in [0, 1].

    classes: by class, precision, recall, F1 and how many pictures are of it.
    confusion: ``(K, K)``, a row for each of `names` as it is, a column for what it was taken for.
    """

    pictures: int
    top1: float
    top5: float
    calibration_error: float
    classes: dict[str, tuple[float, float, float, int]]
    names: tuple[str, ...]
    confusion: np.ndarray

    def summary(self) -> dict[str, Any]:
        """The numbers that are of all classes, for people and for JSON."""
        means = np.mean([values[:3] for values in self.classes.values()], axis=0) if self.classes else np.zeros(3)
        precision, recall, f1 = (round(float(value), 4) for value in means)
        return {
            "pictures": self.pictures,
            "classes": len(self.classes),
            "top1": round(self.top1, 4),
            "top5": round(self.top5, 4),
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "calibration_error": round(self.calibration_error, 4),
        }


def evaluate(rows: Sequence[Row], truth: Mapping[str, str]) -> Report:
    """Compare the labels of rows with the class of each path. Rows without labels are left out.

    Precision, recall and F1 are of each class that pictures belong to; scikit-learn computes them.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    told = [row for row in rows if row.scores]
    right = [truth[row.path] for row in told]
    found = [row.scores[0][0] for row in told]
    names = sorted(set(right) | set(found))
    present = sorted(set(right))
    each = precision_recall_fscore_support(right, found, labels=present, zero_division=0.0) if told else [()] * 4
    classes = {name: (float(p), float(r), float(f), int(n)) for name, p, r, f, n in zip(present, *each, strict=True)}
    hits = np.array([one == other for one, other in zip(right, found, strict=True)])
    return Report(
        pictures=len(told),
        top1=float(hits.mean()) if told else 0.0,
        top5=float(np.mean([name in dict(row.scores[:5]) for name, row in zip(right, told, strict=True)] or [False])),
        calibration_error=calibration_error(np.array([row.scores[0][1] for row in told]), hits) if told else 0.0,
        classes=classes,
        names=tuple(names),
        confusion=confusion_matrix(right, found, labels=names) if told else np.zeros((0, 0), int),
    )


def calibration_error(scores: np.ndarray, hits: np.ndarray) -> float:
    """By how much scores and how often they are right differ: the mean over bins of equal width, weighted by size.

    Shape: scores ``(N,)`` in [0, 1], hits ``(N,)`` bool
    """
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = [
        (bins == place).mean() * abs(scores[bins == place].mean() - hits[bins == place].mean())
        for place in np.unique(bins)
    ]
    return float(sum(gaps))


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write classes.csv, confusion.csv and confusion.png into a folder; return what was written."""
    tables: dict[str, list[list[Any]]] = {
        "classes.csv": [
            ["class", "precision", "recall", "f1", "pictures"],
            *([name, *(f"{value:.4f}" for value in values[:3]), values[3]] for name, values in report.classes.items()),
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
    commit(folder / "confusion.png", partial(_write, draw(report)))
    return [*written, folder / "confusion.png"]


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def draw(report: Report) -> bytes:
    """The confusion matrix as a PNG: rows are what pictures are, columns what they were taken for."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = max(1, len(report.names))
    side = min(30.0, 2.5 + 0.18 * count)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    shares = report.confusion / np.maximum(1, report.confusion.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    size = 7 if count <= 60 else 5
    axes.set_xticks(range(len(report.names)), report.names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(report.names)), report.names, fontsize=size)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.set_title(f"{report.top1:.1%} of {report.pictures} pictures right")
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()
