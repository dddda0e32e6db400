"""Measures of masks: overlap and boundaries of each class, and objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import ndimage

from imgai.kinds.coco import rle
from imgai.measure.coco import CocoTable
from imgai.measure.figures import Figures, mean, ratio
from imgai.outputs.mask import Mask

NEAR = 0.0075
"""The tolerance of boundaries, as a fraction of the diagonal (Csurka et al., BMVC 2013)."""
SAME = 0.5
"""The intersection over union from which on an object is a true positive."""
BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class TrueMask:
    """The ground truth of one image.

    classes: ``(K, H, W)`` bool, in the order of the model's labels.
    objects: ``(H, W)`` integers, objects of the first class numbered from 1; None where they are not told apart.
    """

    classes: np.ndarray
    objects: np.ndarray | None = None


class MaskMeasure:
    """IoU, Dice and boundary F by class and image, confusion by pixels; of objects precision, recall, F1 and AP.

    IoU and Dice of all images are of their pixels together, the ``mean_`` ones the mean over images. An image in which
    a class is neither there nor found tells nothing of it. Objects are measured where the truth numbers them.
    """

    alone: ClassVar[str] = "dice"
    rank: ClassVar[str] = "dice"

    def __init__(self, labels: tuple[str, ...], threshold: float = 0.5) -> None:
        """labels: of the model's classes. threshold: values at or above it count as inside."""
        self._labels = labels
        self._threshold = threshold
        count = len(labels)
        self._pixels = np.zeros((3, count), np.int64)  # shared, found, true
        self._images: list[list[dict[str, float | None]]] = []
        self._confusion = np.zeros((count + 1, count + 1), np.int64)
        self._objects = np.zeros(3, np.int64)  # matched, found, true
        self._table: CocoTable | None = None

    def update(self, predicted: Mask, true: TrueMask) -> dict[str, float | None]:
        """Add one image. The mask has the truth's size."""
        inside = np.stack([predicted.inside(index, self._threshold) for index in range(len(self._labels))])
        by_class = [self._compare(index, inside[index], true.classes[index]) for index in range(len(self._labels))]
        self._images.append(by_class)
        self._confuse(predicted, inside, true.classes)
        figures = {name: mean([each[name] for each in by_class]) for name in ("dice", "iou", "boundary_f")}
        return figures | (self._count_objects(predicted, true.objects) if true.objects is not None else {})

    def compute(self) -> Figures:
        """The figures of all images so far."""
        shared, predicted, true = (self._pixels[row].tolist() for row in range(3))
        classes: dict[str, dict[str, float | None]] = {}
        for index, label in enumerate(self._labels):
            images = [each[index] for each in self._images]
            classes[label] = {
                "dice": ratio(2 * shared[index], predicted[index] + true[index]),
                "iou": ratio(shared[index], predicted[index] + true[index] - shared[index]),
                "mean_dice": mean([each["dice"] for each in images]),
                "mean_iou": mean([each["iou"] for each in images]),
                "boundary_f": mean([each["boundary_f"] for each in images]),
                "pictures": sum(each["true"] != 0 for each in images),
            }
        names = ("dice", "iou", "mean_dice", "mean_iou", "boundary_f")
        values = {name: mean([each[name] for each in classes.values()]) for name in names}
        if self._table is not None:
            matched, found_objects, true_objects = self._objects.tolist()
            values |= _rates(matched, found_objects, true_objects)
            precision = self._table.precision()
            values |= {"ap50": precision.at_50, "ap": precision.mean}
        return Figures(
            pictures=len(self._images),
            values=values,
            main="dice",
            classes=classes,
            names=(BACKGROUND, *self._labels),
            confusion=self._confusion,
        )

    def _compare(self, index: int, predicted: np.ndarray, true: np.ndarray) -> dict[str, float | None]:
        shared, of_found, of_true = int((predicted & true).sum()), int(predicted.sum()), int(true.sum())
        self._pixels[:, index] += (shared, of_found, of_true)
        return {
            "dice": ratio(2 * shared, of_found + of_true),
            "iou": ratio(shared, of_found + of_true - shared),
            "boundary_f": boundary_f(predicted, true),
            "true": of_true,
        }

    def _confuse(self, predicted: Mask, inside: np.ndarray, true: np.ndarray) -> None:
        """Each pixel counts once: as the strongest class at or above the threshold, or as background."""
        strongest = predicted.values[: len(self._labels)].numpy().argmax(0)
        taken = np.where(inside.any(0), strongest + 1, 0)
        is_ = np.where(true.any(0), true.argmax(0) + 1, 0)
        side = len(self._labels) + 1
        self._confusion += np.bincount((is_ * side + taken).ravel(), minlength=side * side).reshape(side, side)

    def _count_objects(self, predicted: Mask, true: np.ndarray) -> dict[str, float | None]:
        numbered = predicted.objects(self._threshold)[0][1]
        matched = matches(numbered, true)
        counts = (matched, _count(numbered), _count(true))
        self._objects += counts
        self._table = self._table or CocoTable("segm", self._labels[:1])
        soft = predicted.values[0].numpy()
        self._table.add(_rows(numbered, soft), _rows(true), true.shape)
        return _rates(*counts)


def _rows(numbered: np.ndarray, soft: np.ndarray | None = None) -> list[dict[str, Any]]:
    """The objects of a map as `CocoTable` takes them. soft: the mask in 256 levels, whose mean is an object's score."""
    rows = []
    for number, place in enumerate(ndimage.find_objects(numbered), start=1):
        if place is None:
            continue
        shape = numbered[place] == number
        top, left = place[0].start, place[1].start
        row = {
            "class": 0,
            "bbox": [left, top, shape.shape[1], shape.shape[0]],
            "area": int(shape.sum()),
            "segmentation": {"size": list(numbered.shape), "counts": rle(shape, top, left, *numbered.shape)},
        }
        rows.append(row if soft is None else row | {"score": float(soft[place][shape].mean()) / 255})
    return rows


def matches(predicted: np.ndarray, true: np.ndarray) -> int:
    """How many objects of one map are, with an intersection over union of more than a half, one of the other.

    More than a half can be shared with one object alone, so that nothing is to be chosen. Shape: ``(H, W)`` integers.
    """
    width = int(predicted.max(initial=0)) + 1
    pairs, shared = np.unique(true.astype(np.int64).ravel() * width + predicted.ravel(), return_counts=True)
    rows, columns = pairs // width, pairs % width
    of_true = np.bincount(rows, shared, minlength=int(true.max(initial=0)) + 1)
    of_found = np.bincount(columns, shared, minlength=width)
    overlap = shared / (of_true[rows] + of_found[columns] - shared)
    return int(((rows > 0) & (columns > 0) & (overlap > SAME)).sum())


def _count(numbered: np.ndarray) -> int:
    return len(np.unique(numbered[numbered > 0]))


def _rates(matched: int, predicted: int, true: int) -> dict[str, Any]:
    return {
        "object_precision": ratio(matched, predicted),
        "object_recall": ratio(matched, true),
        "object_f1": ratio(2 * matched, predicted + true),
    }


def boundary_f(predicted: np.ndarray, true: np.ndarray) -> float | None:
    """The F measure of two outlines that may lie `NEAR` of the diagonal apart; None where there is neither.

    Shape: ``(H, W)`` bool each.
    """
    edges = _edge(predicted), _edge(true)
    if not (edges[0].any() or edges[1].any()):
        return None
    if not (edges[0].any() and edges[1].any()):
        return 0.0
    most = max(1.0, NEAR * float(np.hypot(*predicted.shape)))
    precision, recall = (
        float((ndimage.distance_transform_edt(~other)[edge] <= most).mean()) for edge, other in (edges, edges[::-1])
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _edge(inside: np.ndarray) -> np.ndarray:
    """The pixels of a shape that touch what is outside; the image's own border is no edge."""
    return np.asarray(inside & ~ndimage.binary_erosion(inside, border_value=1))
