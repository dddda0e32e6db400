"""How often labels are right: what a classifier says of images whose class is known."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
        """The numbers that are of all classes, for people and for JSON; None for what no image tells."""
        if not self.pictures:
            measures = ("top1", "top5", "precision", "recall", "f1", "calibration_error")
            return {"pictures": 0, "classes": 0, **dict.fromkeys(measures)}
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


class ScoresMeasure:
    """Counts, image after image, how often the labels of a classifier are right; scikit-learn computes the rates."""

    def __init__(self) -> None:
        self._true: list[str] = []
        self._scores: list[Sequence[tuple[str, float]]] = []

    def update(self, scores: Sequence[tuple[str, float]], true: str) -> None:
        """Add one image. scores: labels with their scores in [0, 1], the best first; none: the image is left out."""
        if scores:
            self._true.append(true)
            self._scores.append(scores)

    def compute(self) -> Report:
        """The measures of all images so far. Precision, recall and F1 are of each class that images belong to."""
        from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

        true, best = self._true, [scores[0][0] for scores in self._scores]
        if not true:
            return Report(0, 0.0, 0.0, 0.0, {}, (), np.zeros((0, 0), int))
        names, present = sorted({*true, *best}), sorted(set(true))
        with warnings.catch_warnings():
            # What scikit-learn warns of (a class without images, or one class alone) is told by the numbers.
            warnings.simplefilter("ignore")
            rates = precision_recall_fscore_support(true, best, labels=present, zero_division=0.0)
            confusion = confusion_matrix(true, best, labels=names)
        hits = np.array([one == other for one, other in zip(true, best, strict=True)])
        among_five = [name in dict(scores[:5]) for name, scores in zip(true, self._scores, strict=True)]
        return Report(
            pictures=len(true),
            top1=float(hits.mean()),
            top5=float(np.mean(among_five)),
            calibration_error=calibration_error(np.array([scores[0][1] for scores in self._scores]), hits),
            classes={
                name: (float(precision), float(recall), float(f1), int(count))
                for name, precision, recall, f1, count in zip(present, *rates, strict=True)
            },
            names=tuple(names),
            confusion=confusion,
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
