"""Decode the outputs of cells to boxes, for a whole batch at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai_detect.network import BINS, STRIDES

CANDIDATES = 1000
"""The maximum number of pairs of cell and class per image, highest scores first."""
MOST = 300
"""The maximum number of boxes per image."""
FLOOR = 0.05
"""Boxes with a lower score are dropped, as in the published evaluation."""
OVERLAP = 0.6
"""Of two boxes of one class with a larger intersection over union the one with the higher score stays; as published."""
_ROWS = 64


def boxes_of(grids: Sequence[Tensor], only: Sequence[int] | None = None, floor: float = FLOOR) -> Tensor:
    """Boxes of a batch: x0, y0, x1, y1 as fractions of the image's sides, score, class; the best first.

    Shape: for each of STRIDES ``(B, classes + 44, H / stride, W / stride)`` -> ``(B, MOST, 6)``; a score of 0 pads.

    only: the classes that are asked for; None: all.
    floor: boxes with a lower score are dropped.
    """
    classes = grids[0].shape[1] - 4 * BINS
    cells = torch.cat([grid.permute(0, 2, 3, 1).flatten(1, 2) for grid in grids], dim=1)  # (B, N, classes + 44)
    logits = cells[..., :classes] if only is None else cells[..., list(only)]
    score, cell, label = _best(logits, floor)
    distances = cells[..., classes:].gather(1, cell[..., None].expand(-1, -1, 4 * BINS))
    height, width = (side * STRIDES[0] for side in grids[0].shape[-2:])
    box = decoded(distances, places(grids)[cell])
    box = (box / box.new_tensor((width, height, width, height))).clamp(0, 1)
    if only is not None:
        label = torch.as_tensor(list(only), device=label.device)[label]
    score = score * suppressed(box, score, label, OVERLAP)
    order = score.argsort(dim=1, descending=True, stable=True)[:, :MOST]
    found = torch.cat((box, score[..., None], label[..., None].to(box.dtype)), dim=2)
    found = found.gather(1, order[..., None].expand(-1, -1, 6))
    found = torch.where(found[..., 4:5] > 0, found, 0)
    return F.pad(found, (0, 0, 0, MOST - found.shape[1]))


def _best(logits: Tensor, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    """The highest scores of each image in falling order, 0 for those under `floor`, their cells and their classes.

    Shape: ``(B, N, classes)`` -> three times ``(B, K)``, K as many as the image with the most of them has, at least 1

    A pair that is among the best lies in a cell whose own best is among the best cells, so that few are sorted.
    """
    _, cells, classes = logits.shape
    best = logits.amax(dim=2).topk(min(CANDIDATES, cells), dim=1).indices
    pairs = logits.gather(1, best[..., None].expand(-1, -1, classes)).flatten(1)
    top = pairs.topk(min(CANDIDATES, pairs.shape[1]), dim=1)
    score = top.values.sigmoid()
    score = score * (score >= floor)
    count = max(1, int((score > 0).sum(dim=1).max()))
    index = top.indices[:, :count]
    return score[:, :count], best.gather(1, index.div(classes, rounding_mode="floor")), index % classes


def places(grids: Sequence[Tensor]) -> Tensor:
    """Where the centres of cells are and how far it is from one to the next: x, y and stride in pixels. ``(N, 3)``"""
    places = []
    for grid, stride in zip(grids, STRIDES, strict=True):
        y, x = ((torch.arange(side, device=grid.device) + 0.5) * stride for side in grid.shape[-2:])
        down, across = torch.meshgrid(y, x, indexing="ij")
        places.append(torch.stack((across, down, torch.full_like(across, stride)), dim=2).flatten(0, 1))
    return torch.cat(places)


def decoded(distances: Tensor, place: Tensor) -> Tensor:
    """Corners in pixels: x0, y0, x1, y1.

    Shape: ``(B, K, 44)`` logits of bins and ``(B, K, 3)`` as `places` gives them -> ``(B, K, 4)``
    """
    bins = torch.arange(BINS, device=distances.device, dtype=distances.dtype)
    sides = (
        distances.reshape(*distances.shape[:2], 4, BINS).softmax(dim=3) @ bins * place[..., 2:]
    )  # left, top, right, bottom
    return torch.cat((place[..., :2] - sides[..., :2], place[..., :2] + sides[..., 2:]), dim=2)


def suppressed(box: Tensor, score: Tensor, label: Tensor, overlap: float) -> Tensor:
    """Which boxes stay when each removes those of its class that overlap it and score less (non-maximum suppression).

    Shape: ``(B, K, 4)``, ``(B, K)`` in falling order, ``(B, K)`` -> ``(B, K)`` of bool

    overlap: the intersection over union from which on, exclusive, two boxes are rivals.

    A box stays unless one that stays and stands before it is its rival. Said of many boxes at once and repeated until
    nothing changes, this is what going through them in order gives: after n rounds the first n are right, and chains of
    boxes that remove each other are short.
    """
    stays = score > 0
    for start in range(0, score.shape[1], _ROWS):  # few rows at a time stay in the cache
        rows, earlier = slice(start, start + _ROWS), slice(0, start + _ROWS)
        rival = _overlapping(box[:, rows], box[:, earlier], overlap)
        rival &= label[:, rows, None] == label[:, None, earlier]
        free = stays[:, rows] & ~(rival[..., :start] & stays[:, None, :start]).any(dim=2)
        among = rival[..., start:].tril_(-1)
        while not torch.equal(now := free & ~(among & stays[:, None, rows]).any(dim=2), stays[:, rows]):
            stays[:, rows] = now
    return stays


def _overlapping(box: Tensor, other: Tensor, overlap: float) -> Tensor:
    """Whether the intersection over union of a box and another one is above `overlap`.

    Shape: ``(B, K, 4)``, ``(B, L, 4)`` -> ``(B, K, L)`` of bool
    """

    def shared(axis: int) -> Tensor:
        """What the two have in common along one axis."""
        low = torch.maximum(box[:, :, None, axis], other[:, None, :, axis])
        return torch.minimum(box[:, :, None, axis + 2], other[:, None, :, axis + 2]).sub_(low).clamp_min_(0)

    area, others = ((b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]) for b in (box, other))
    inside = shared(0).mul_(shared(1))
    return inside > (area[:, :, None] + others[:, None, :]).sub_(inside).mul_(overlap)
