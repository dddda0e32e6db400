"""Measures of scores: accuracy and calibration of a classifier."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from imgai.measure.figures import Figures
from imgai.outputs.scores import Scores, best

BINS = 15
"""Of the expected calibration error (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017)."""
_NAMES = ("top1", "top5", "precision", "recall", "f1", "calibration_error")


class ScoresMeasure:
    """Counts, image after image, how often the labels of a classifier are right; scikit-learn computes the rates."""

    alone: ClassVar[str] = "top1"
    rank: ClassVar[str] = "score"

    def __init__(self, labels: tuple[str, ...] = (), threshold: float = 0.5) -> None:
        """Neither is needed: classes are those of the images, and what counts is the best label."""
        self._true: list[str] = []
        self._scores: list[Sequence[tuple[str, float]]] = []

    def update(self, predicted: Scores | Sequence[tuple[str, float]], true: str) -> dict[str, float | None]:
        """Add one image. predicted: labels with their scores in [0, 1], the best first; none: the image is left out."""
        scores = list(best([predicted]).items()) if isinstance(predicted, Scores) else predicted
        if not scores:
            return {}
        self._true.append(true)
        self._scores.append(scores)
        return {
            "top1": float(scores[0][0] == true),
            "top5": float(true in dict(scores[:5])),
            "score": dict(scores).get(true, 0.0),
        }

    def compute(self) -> Figures:
        """The measures of all images so far. Precision, recall and F1 are of each class that images belong to.

        The mean of recall over the classes is what is called balanced accuracy.
        """
        from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

        true, predicted = self._true, [scores[0][0] for scores in self._scores]
        if not true:
            return Figures(0, dict.fromkeys(_NAMES), "top1", confusion=np.zeros((0, 0), int))
        names, present = sorted({*true, *predicted}), sorted(set(true))
        with warnings.catch_warnings():
            # What scikit-learn warns of (a class without images, or one class alone) is told by the numbers.
            warnings.simplefilter("ignore")
            rates = precision_recall_fscore_support(true, predicted, labels=present, zero_division=0.0)
            confusion = confusion_matrix(true, predicted, labels=names)
        hits = np.array([one == other for one, other in zip(true, predicted, strict=True)])
        among_five = [name in dict(scores[:5]) for name, scores in zip(true, self._scores, strict=True)]
        precision, recall, f1 = (float(each.mean()) for each in rates[:3])
        error = calibration_error(np.array([scores[0][1] for scores in self._scores]), hits)
        values = (float(hits.mean()), float(np.mean(among_five)), precision, recall, f1, error)
        return Figures(
            pictures=len(true),
            values=dict(zip(_NAMES, values, strict=True)),
            main="top1",
            classes={
                name: {"precision": float(p), "recall": float(r), "f1": float(f), "pictures": int(count)}
                for name, p, r, f, count in zip(present, *rates, strict=True)
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
