"""Measures of boxes: mean average precision as defined by COCO, and counts at one threshold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from imgai.measure.coco import CocoTable
from imgai.measure.figures import Figures, ratio
from imgai.outputs.boxes import Boxes

SAME = 0.5
"""The intersection over union from which on a box is a true positive."""
_MOST = 100
"""Boxes of an image that count for average precision, as with COCO."""
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class TrueBoxes:
    """The ground truth of one image.

    boxes: ``(N, 4)`` x0, y0, x1, y1 in pixels. classes: ``(N,)`` indices of the model's labels.
    crowd: ``(N,)`` bool: groups, of which any number may be found. size: height and width of the image.
    """

    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray
    size: tuple[int, int]


class BoxesMeasure:
    """Average precision of all boxes; precision, recall and F1 of those with at least the threshold's score."""

    alone: ClassVar[str] = "f1"
    rank: ClassVar[str] = "f1"

    def __init__(self, labels: tuple[str, ...], threshold: float = 0.5) -> None:
        self._labels = labels
        self._threshold = threshold
        self._pictures = 0
        self._counts = np.zeros((3, len(labels)), np.int64)  # matched, found, true
        self._confusion = np.zeros((len(labels) + 1, len(labels) + 1), np.int64)
        self._table = CocoTable("bbox", labels, _MOST)

    def update(self, predicted: Boxes, true: TrueBoxes) -> dict[str, float | None]:
        """Add one image."""
        self._pictures += 1
        self._table.add(
            [
                {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "score": score, "class": int(index)}
                for x0, y0, x1, y1, score, index in predicted.values.tolist()
            ],
            [
                {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "class": index, "iscrowd": crowd}
                for (x0, y0, x1, y1), index, crowd in zip(
                    true.boxes.tolist(), true.classes.tolist(), true.crowd.astype(int).tolist(), strict=True
                )
            ],
            true.size,
        )
        shown = predicted.above(self._threshold).values.numpy()
        counts = self._count(shown[:, :4], shown[:, 5].astype(int), true)
        self._counts += counts
        matched, of_found, of_true = counts.sum(axis=1).tolist()
        return _rates(matched, of_found, of_true)

    def compute(self) -> Figures:
        """The figures of all images so far; classes are those that images have, or that were found."""
        precision = self._table.precision()
        matched, of_found, of_true = self._counts.sum(axis=1).tolist()
        there = [index for index in range(len(self._labels)) if self._counts[1:, index].any()]
        known = [0, *(index + 1 for index in there)]
        return Figures(
            pictures=self._pictures,
            values={
                "map": precision.mean,
                "map50": precision.at_50,
                "map75": precision.at_75,
                "map_small": precision.small,
                "map_medium": precision.medium,
                "map_large": precision.large,
                **_rates(matched, of_found, of_true),
            },
            main="map",
            classes={
                self._labels[index]: {
                    "ap": precision.classes[self._labels[index]][0],
                    "ap50": precision.classes[self._labels[index]][1],
                    **_rates(*self._counts[:, index].tolist()),
                    "objects": int(self._counts[2, index]),
                }
                for index in there
            },
            names=(NOTHING, *(self._labels[index] for index in there)),
            confusion=self._confusion[np.ix_(known, known)],
        )

    def _count(self, boxes: np.ndarray, classes: np.ndarray, true: TrueBoxes) -> np.ndarray:
        """Matched, found and true objects of each class. A box goes to the free object that it overlaps most."""
        counts = np.zeros((3, len(self._labels)), np.int64)
        counts[2] = np.bincount(true.classes[~true.crowd], minlength=len(self._labels))
        overlap = overlaps(boxes, true)
        same = classes[:, None] == true.classes[None, :]
        free = np.ones(len(true.boxes), bool)
        for index in range(len(boxes)):  # the highest score first
            fits = np.where(free & same[index], overlap[index], 0)
            best = int(fits.argmax()) if fits.size else -1
            if best >= 0 and fits[best] >= SAME:
                if true.crowd[best]:
                    continue
                free[best] = False
                counts[0, classes[index]] += 1
                self._confusion[classes[index] + 1, classes[index] + 1] += 1
            else:
                others = np.where(free & ~true.crowd, overlap[index], 0)
                taken = int(others.argmax()) if others.size and others.max() >= SAME else -1
                self._confusion[true.classes[taken] + 1 if taken >= 0 else 0, classes[index] + 1] += 1
            counts[1, classes[index]] += 1
        missed = Counter(true.classes[free & ~true.crowd].tolist())
        for index, count in missed.items():
            self._confusion[index + 1, 0] += count
        return counts


def overlaps(boxes: np.ndarray, true: TrueBoxes) -> np.ndarray:
    """Intersection over union; of a crowd, over the box's own area. Shape: ``(M, N)``."""
    if not len(boxes) or not len(true.boxes):
        return np.zeros((len(boxes), len(true.boxes)))
    from pycocotools.mask import iou

    one, other = (
        np.concatenate((each[:, :2], each[:, 2:4] - each[:, :2]), axis=1).astype(np.float64)
        for each in (boxes, true.boxes)
    )
    return np.asarray(iou(one, other, true.crowd.astype(np.uint8).tolist()))


def _rates(matched: int, predicted: int, true: int) -> dict[str, Any]:
    return {
        "precision": ratio(matched, predicted),
        "recall": ratio(matched, true),
        "f1": ratio(2 * matched, predicted + true),
    }
