"""BOXES: ``(B, M, 6)``, for each object a box, a score and a class. The image is unchanged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from imgai.outputs.base import OutputType, Place, StepContext, View
from imgai.outputs.counting import Counting
from imgai.outputs.shape import not_a_tensor, not_floating, wrong_shape
from imgai.plugin import Model

if TYPE_CHECKING:
    from imgai.predict.spec import StepSpec
    from imgai.sample import Sample

SAME = 0.5
"""The intersection over union above which boxes of one class from different tiles are one object."""
_COVERED = 0.7  # a box cut by a tile's edge is a piece of a larger box that covers this fraction of it
_EDGE = 0.01  # distance to a tile's edge, as a fraction of the tile, within which a box counts as cut
_BEYOND = 0.1  # a box that extends farther beyond its tile, as a fraction of the tile, is complete
_ALONG = 0.7  # two cut pieces are one object if their extents along the edge overlap by this fraction
_FARTHEST = 32  # coordinates beyond this many tile sides are taken for pixels instead of fractions
_NEAR = 1.0  # how far a box may extend beyond the input, for tests: detectors extrapolate cut objects
_SURE = 0.25  # tests do not compare boxes with lower scores
_X0, _Y0, _X1, _Y1, _SCORE, _CLASS = range(6)


@dataclass(slots=True)
class Boxes:
    """The result of a BOXES step, highest score first.

    values: ``(M, 6)`` float32 on the CPU: x0, y0, x1, y1 in pixels of the image (0 is the left edge of the first
        pixel), the score in (0, 1], the index of the class.
    labels: the names of the classes.
    """

    values: Tensor
    labels: tuple[str, ...]

    def above(self, threshold: float) -> Boxes:
        """Return the boxes with a score at or above the threshold."""
        return Boxes(self.values[self.values[:, _SCORE] >= threshold], self.labels)

    def counted(self, counting: Counting, height: int, width: int) -> Boxes:
        """Return the boxes that count as objects of a picture of height by width pixels."""
        boxes = self.above(counting.threshold)
        x0, y0, x1, y1 = boxes.values[:, :_SCORE].unbind(dim=1)
        kept = (x1 - x0) * (y1 - y0) >= counting.min_size
        if counting.exclude_edges:
            kept &= (x0 > 0) & (y0 > 0) & (x1 < width) & (y1 < height)
        return Boxes(boxes.values[kept], self.labels)

    def counts(self, threshold: float = 0.0) -> dict[str, int]:
        """Count the boxes of each class at or above the threshold. Classes without boxes are left out."""
        classes = self.above(threshold).values[:, _CLASS].to(torch.int64)
        counts = torch.bincount(classes, minlength=len(self.labels)).tolist()
        return {label: count for label, count in zip(self.labels, counts, strict=True) if count}


class BoxesOutput(OutputType):
    """A list of objects: fractions within a step, pixels in a sample, scaled when the image is resized."""

    dense: ClassVar[bool] = False
    field: ClassVar[str] = "boxes"

    def problem(self, model: Model, images: Tensor, returned: object) -> str:
        if not isinstance(returned, Tensor):
            return not_a_tensor(returned)
        shape = tuple(returned.shape)
        if len(shape) != 3 or shape[0] != images.shape[0] or shape[2] != 6:
            found = shape[1] if len(shape) > 1 else 0
            advice = "each box is x0, y0, x1, y1 as fractions, a score and a class"
            return wrong_shape(shape, images, (images.shape[0], found, 6), advice)
        scores, classes = returned[..., _SCORE], returned[..., _CLASS]
        if bool(((scores < 0) | (scores > 1)).any()):
            return "it returned scores outside of 0 to 1"
        count = len(model.labels or ())
        if bool(((scores > 0) & ((classes < 0) | (classes >= count))).any()):
            return f"it returned the class {int(classes.max())}, and {count} labels are declared"
        boxes = returned[scores > 0]
        if bool((boxes[:, :4].abs() > _FARTHEST).any()):
            return "it returned boxes far outside of what it saw; give fractions, not pixels"
        if bool((boxes[:, _X0] > boxes[:, _X1]).any() or (boxes[:, _Y0] > boxes[:, _Y1]).any()):
            return "it returned boxes that end before they begin; give x0, y0, x1, y1, not a width and a height"
        return ""

    def whole(self, answer: Any, view: View, sample: Sample, step: StepContext) -> Tensor:
        height, width = view.image.shape[-2:]
        boxes = _found(answer)
        boxes[:, [_X0, _X1]] = (view.left + boxes[:, [_X0, _X1]] * view.width) / width
        boxes[:, [_Y0, _Y1]] = (view.top + boxes[:, [_Y0, _Y1]] * view.height) / height
        return _kept_within(boxes)

    def joined(self, answers: Sequence[tuple[Place, Any]], sample: Sample, step: StepContext) -> Tensor:
        moved, cuts, tiles = [], [], []
        for place, answer in answers:
            boxes = _found(answer)
            cuts.append(_cut(boxes, place))
            top, left, height, width = place
            boxes[:, [_X0, _X1]] = left + boxes[:, [_X0, _X1]] * width
            boxes[:, [_Y0, _Y1]] = top + boxes[:, [_Y0, _Y1]] * height
            moved.append(boxes)
            tiles.append(boxes.new_tensor([left, top, left + width, top + height]).expand(len(boxes), 4))
        boxes = torch.cat(moved)
        if len(answers) > 1:
            boxes = _merged(boxes, torch.cat(cuts), torch.cat(tiles))
        return _kept_within(boxes)

    def add(self, sample: Sample, result: Any, step: StepContext) -> Sample:
        values = result[result[:, _SCORE].argsort(descending=True, stable=True)]
        boxes = Boxes(_scaled(values, sample.height, sample.width), step.model.labels or ())
        return dataclasses.replace(sample, boxes={**sample.boxes, step.name: boxes})

    def resized(self, sample: Sample, before: tuple[int, int], after: tuple[int, int]) -> Sample:
        down, across = after[0] / before[0], after[1] / before[1]
        boxes = {
            name: dataclasses.replace(each, values=_scaled(each.values, down, across))
            for name, each in sample.boxes.items()
        }
        return dataclasses.replace(sample, boxes=boxes)

    def violation(self, sample: Sample, step: StepContext, size: tuple[int, int]) -> str:
        values = sample.boxes[step.name].values
        limit = values.new_tensor([size[1], size[0], size[1], size[0]])
        inside = bool((values[:, :4] >= 0).all() and (values[:, :4] <= limit).all())
        return "" if inside else "it has boxes outside of the image"

    def improper(self, model: Model, returned: Any) -> str:
        if words := not_floating(returned):
            return words.replace(" in [0, 1]", "").replace("divide by 255", "call .float()")
        sure = returned[returned[..., _SCORE] > 0]
        if len(sure) and float(sure[:, :_SCORE].abs().max()) > 1 + _NEAR:
            most = float(sure[:, :_SCORE].abs().max())
            return f"its boxes reach {most:.3g} times as far as what it saw; give fractions of its sides, not pixels"
        if len(sure) and bool((sure[:, _CLASS] != sure[:, _CLASS].round()).any()):
            return "its classes are no whole numbers; give the index of a label"
        return ""

    def difference(self, one: Sample, other: Sample, name: str) -> Tensor:
        """Return for each box with a high score the difference to the nearest box of its class."""
        mine, theirs = one.boxes[name].values, other.boxes[name].values
        missed = [_missed(mine, theirs), _missed(theirs, mine)]
        return torch.cat([*missed, mine.new_zeros(1)])

    def sought(self, spec: StepSpec) -> Sequence[str]:
        """Return the classes that the step was asked for (``--classes``), else all of the model."""
        return getattr(spec.params, "classes", ()) or spec.model.labels or ()

    def note(self, sample: Sample, name: str, counting: Counting) -> dict[str, int]:
        """Return the number of boxes of each class."""
        return sample.boxes[name].counted(counting, sample.height, sample.width).counts()

    def line(self, notes: Sequence[Any]) -> dict[str, Any]:
        """``objects``: the number of boxes of each class on all pages."""
        total: dict[str, int] = {}
        for counts in notes:
            for label, count in counts.items():
                total[label] = total.get(label, 0) + count
        return {"objects": total}


def _found(answer: Tensor) -> Tensor:
    """Drop padding rows. Shape: ``(M, 6)`` to ``(N, 6)`` float32 on the CPU, a copy."""
    rows = answer.to("cpu", torch.float32)
    return rows[rows[:, _SCORE] > 0].clone()


def _scaled(values: Tensor, down: float, across: float) -> Tensor:
    return values * values.new_tensor([across, down, across, down, 1, 1])


def _kept_within(boxes: Tensor) -> Tensor:
    """Clip boxes to the image, and drop those whose centre is in letterbox bars or padding."""
    x, y = (boxes[:, _X0] + boxes[:, _X1]) / 2, (boxes[:, _Y0] + boxes[:, _Y1]) / 2
    boxes = boxes[(x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)]
    boxes[:, :4] = boxes[:, :4].clamp(0, 1)
    return boxes[(boxes[:, _X1] > boxes[:, _X0]) & (boxes[:, _Y1] > boxes[:, _Y0])]


def _cut(boxes: Tensor, place: Place) -> Tensor:
    """Return which inner edges of a tile each box touches: left, top, right, bottom.

    Shape: ``(M, 6)`` to ``(M, 4)`` bool.
    """
    top, left, height, width = place
    inner = torch.tensor([left > 0, top > 0, left + width < 1, top + height < 1])
    outside = torch.cat([-boxes[:, :_X1], boxes[:, _X1:_SCORE] - 1], dim=1)
    return (outside >= -_EDGE) & (outside <= _BEYOND) & inner


def _merged(boxes: Tensor, cuts: Tensor, tiles: Tensor) -> Tensor:
    """Merge the boxes of all tiles, so that each object has one box.

    A piece of an object cut by a tile's edge overlaps the complete box too little for non-maximum suppression, and may
    have a higher score, so pieces are removed first. Pieces of an object that no tile contains completely are joined.

    Shape: boxes ``(M, 6)``; cuts ``(M, 4)`` as `_cut` returns them; tiles ``(M, 4)``: x0, y0, x1, y1 of each box's own
    """
    from kornia.geometry.bbox import nms  # imported here because it takes a second

    whole = ~cuts.any(dim=1)
    alive = _without_pieces(boxes, ~whole, whole)
    boxes, cut = _with_pieces_joined(boxes[alive], cuts[alive], tiles[alive])
    boxes = boxes[_without_pieces(boxes, cut, torch.ones_like(cut))]
    # Boxes of different classes are offset, so that they do not suppress each other.
    apart = boxes[:, :4] + boxes[:, _CLASS, None] * 16
    kept: Tensor = nms(apart, boxes[:, _SCORE], SAME)
    return boxes[kept]


def _without_pieces(boxes: Tensor, cut: Tensor, covers: Tensor) -> Tensor:
    """Which boxes stay: not those that an edge cuts and that a larger box of their class, one of `covers`, covers.

    Shape: ``(M, 6)``, ``(M,)`` bool and ``(M,)`` bool to ``(M,)`` bool
    """
    area = (boxes[:, _X1] - boxes[:, _X0]) * (boxes[:, _Y1] - boxes[:, _Y0])
    alive = torch.ones(len(boxes), dtype=torch.bool)
    for index in cut.nonzero()[:, 0].tolist():
        shared = _intersection(boxes[index], boxes)
        larger = covers & alive & (boxes[:, _CLASS] == boxes[index, _CLASS]) & (area > area[index])
        alive[index] = not bool((larger & (shared >= _COVERED * area[index])).any())
    return alive


def _with_pieces_joined(boxes: Tensor, cuts: Tensor, tiles: Tensor) -> tuple[Tensor, Tensor]:
    """The boxes with one, and the highest score, in place of the pieces of an object; and in which are pieces.

    Two boxes are pieces of one object if the edges of neighbouring tiles cut them from both sides: each reaches through
    all that the tiles share, and along the edge they extend alike.

    Shape: as `_merged` has them, to ``(N, 6)`` and ``(N,)`` bool
    """
    group = list(range(len(boxes)))
    for low, high, along in ((_X0, _X1, (_Y0, _Y1)), (_Y0, _Y1, (_X0, _X1))):
        for index in cuts[:, high].nonzero()[:, 0].tolist():
            mine, tile = boxes[index], tiles[index]
            other = cuts[:, low] & (boxes[:, _CLASS] == mine[_CLASS])
            other &= (tiles[:, low] > tile[low]) & (tiles[:, low] < tile[high]) & (tiles[:, high] > tile[high])
            other &= (mine[low] < tiles[:, low]) & (boxes[:, high] > tile[high])
            start, end = along
            shared = torch.minimum(mine[end], boxes[:, end]) - torch.maximum(mine[start], boxes[:, start])
            extent = torch.maximum(mine[end], boxes[:, end]) - torch.minimum(mine[start], boxes[:, start])
            for piece in (other & (shared >= _ALONG * extent)).nonzero()[:, 0].tolist():
                first, second = sorted((group[index], group[piece]))
                group = [first if each == second else each for each in group]
    joined, cut = [], []
    for first in sorted(set(group)):
        members = torch.tensor([index for index, each in enumerate(group) if each == first])
        pieces = boxes[members]
        joined.append(torch.cat([pieces[:, :_X1].amin(0), pieces[:, _X1:_CLASS].amax(0), pieces[0, _CLASS:]]))
        cut.append(bool(cuts[members].any()))
    return (torch.stack(joined) if joined else boxes), torch.tensor(cut, dtype=torch.bool)


def _intersection(box: Tensor, boxes: Tensor) -> Tensor:
    """The area that a box shares with each of others. Shape: ``(6,)`` and ``(M, 6)`` to ``(M,)``."""
    width = torch.minimum(box[_X1], boxes[:, _X1]) - torch.maximum(box[_X0], boxes[:, _X0])
    height = torch.minimum(box[_Y1], boxes[:, _Y1]) - torch.maximum(box[_Y0], boxes[:, _Y0])
    return width.clamp_min(0) * height.clamp_min(0)


def _missed(boxes: Tensor, others: Tensor) -> Tensor:
    """For each sure box 1 less its largest intersection over union with others of its class. Shape: ``(N,)``."""
    sure = boxes[boxes[:, _SCORE] >= _SURE]
    area = (others[:, _X1] - others[:, _X0]) * (others[:, _Y1] - others[:, _Y0])
    result = sure.new_ones(len(sure))
    for index, box in enumerate(sure):
        shared = _intersection(box, others)
        union = (box[_X1] - box[_X0]) * (box[_Y1] - box[_Y0]) + area - shared
        same = torch.where(others[:, _CLASS] == box[_CLASS], shared / union.clamp_min(1e-9), 0.0)
        result[index] = 1 - (same.max() if len(same) else 0)
    return result
