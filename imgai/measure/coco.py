"""Average precision as COCO defines it; pycocotools computes it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgai.errors import UsageError

MOST = 10_000
"""Objects of an image that count. COCO's own 100 is less than there are nuclei in one."""


@dataclass(frozen=True, slots=True)
class Precision:
    """Average precision, mean over classes: at IoU 0.5, 0.75, and the mean from 0.5 to 0.95; by area of the object.

    classes: by label, the mean and that at 0.5. None for what no image tells.
    """

    mean: float | None
    at_50: float | None
    at_75: float | None
    small: float | None
    medium: float | None
    large: float | None
    classes: dict[str, tuple[float | None, float | None]]


class CocoTable:
    """Gathers the objects of one image after another, as pycocotools wants them."""

    def __init__(self, kind: str, labels: Sequence[str], most: int = MOST) -> None:
        """kind: what is compared, ``"bbox"`` or ``"segm"``. most: objects of an image that count.

        Raises UsageError where pycocotools is missing.
        """
        try:
            import pycocotools.coco  # noqa: F401
        except ImportError:
            raise UsageError("measuring objects needs pycocotools", "pip install 'imgai[evaluate]'") from None
        self._kind = kind
        self._labels = tuple(labels)
        self._most = most
        self._images: list[dict[str, int]] = []
        self._true: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []

    def add(self, predicted: Sequence[dict[str, Any]], true: Sequence[dict[str, Any]], size: Sequence[int]) -> None:
        """Add one image. size: its height and width.

        predicted, true: rows of ``bbox``, ``area``, ``class`` (an index) and, for segm, ``segmentation``; predicted
        ones have a ``score``, true ones may have ``iscrowd``.
        """
        image = len(self._images) + 1
        self._images.append({"id": image, "height": size[0], "width": size[1]})
        for rows, target in ((true, self._true), (predicted, self._found)):
            for row in rows:
                about = {"image_id": image, "category_id": row["class"] + 1, "id": len(target) + 1, "iscrowd": 0}
                target.append({**about, **{name: value for name, value in row.items() if name != "class"}})

    def precision(self) -> Precision:
        """Average precision over all images so far."""
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        categories = [{"id": number, "name": label} for number, label in enumerate(self._labels, start=1)]
        true, predicted = COCO(), COCO()
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how long it takes
            for table, rows in ((true, self._true), (predicted, self._found)):
                table.dataset = {"info": {}, "images": self._images, "categories": categories, "annotations": rows}
                table.createIndex()
            run = COCOeval(true, predicted, self._kind)
            run.params.maxDets = [self._most]
            run.evaluate()
            run.accumulate()
        values = run.eval["precision"]  # thresholds, recalls, classes, areas, most; -1 where there is no object
        steps = {round(float(each), 2): place for place, each in enumerate(run.params.iouThrs)}
        return Precision(
            mean=_mean(values[:, :, :, 0]),
            at_50=_mean(values[steps[0.5], :, :, 0]),
            at_75=_mean(values[steps[0.75], :, :, 0]),
            small=_mean(values[:, :, :, 1]),
            medium=_mean(values[:, :, :, 2]),
            large=_mean(values[:, :, :, 3]),
            classes={
                label: (_mean(values[:, :, place, 0]), _mean(values[steps[0.5], :, place, 0]))
                for place, label in enumerate(self._labels)
            },
        )


def _mean(values: np.ndarray) -> float | None:
    known = values[values > -1]
    return float(known.mean()) if known.size else None
