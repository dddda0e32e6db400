"""Decode the outputs of two common detector heads to boxes.

YOLOX (Ge et al. 2021, arXiv:2107.08430) and NanoDet-Plus (https://github.com/RangiLyu/nanodet, Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_FLOOR = 0.05
"""Boxes with a lower score are dropped."""
_CANDIDATES = 1000
_MOST = 300
"""Boxes of an image."""
_OVERLAPS = {"yolox": 0.45, "nanodet": 0.6}
"""Of two boxes of one class with a larger intersection over union the one with the higher score stays; as published."""
STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32))


def strides_of(size: tuple[int, int], cells: int) -> tuple[int, ...] | None:
    """The strides of grids that have so many cells together; None if there are none."""
    for strides in STRIDES:
        if sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides) == cells:
            return strides
    return None


def boxes(
    raw: Tensor,
    *,
    head: str,
    size: tuple[int, int],
    strides: Sequence[int],
    classes: int,
    decoded: bool,
    only: Sequence[int] = (),
) -> Tensor:
    """Boxes of a batch: x0, y0, x1, y1 as fractions of the sides, score, class; a score of 0 pads.

    Shape: ``(B, cells, numbers)`` to ``(B, M, 6)``

    decoded: of yolox, that places are in pixels and not in cells. only: the classes that are asked for; empty: all.
    """
    places = _places(size, strides, raw.device)
    corners, scores = (_yolox if head == "yolox" else _nanodet)(raw, places, classes, decoded)
    corners = corners / corners.new_tensor((size[1], size[0], size[1], size[0]))
    if only:
        kept = scores.new_zeros(scores.shape[-1])
        kept[list(only)] = 1
        scores = scores * kept
    found = [_best(each, score, _OVERLAPS[head]) for each, score in zip(corners, scores, strict=True)]
    result = raw.new_zeros((len(found), max(1, *(len(rows) for rows in found)) if found else 1, 6))
    for index, rows in enumerate(found):
        result[index, : len(rows)] = rows
    return result


def _yolox(raw: Tensor, places: Tensor, classes: int, decoded: bool) -> tuple[Tensor, Tensor]:
    middle, sides = raw[..., :2], raw[..., 2:4]
    if not decoded:
        middle = (middle + places[:, :2]) * places[:, 2:]
        sides = sides.clamp(max=12).exp() * places[:, 2:]
    corners = torch.cat((middle - sides / 2, middle + sides / 2), -1)
    return corners, raw[..., 4:5].clamp(0, 1) * raw[..., 5 : 5 + classes].clamp(0, 1)


def _nanodet(raw: Tensor, places: Tensor, classes: int, decoded: bool) -> tuple[Tensor, Tensor]:
    """Each distance to an edge is the mean of a distribution over whole numbers of strides."""
    bins = raw[..., classes:].unflatten(-1, (4, -1)).softmax(-1)
    distances = bins @ torch.arange(bins.shape[-1], dtype=raw.dtype, device=raw.device) * places[:, 2:]
    middle = places[:, :2] * places[:, 2:]
    corners = torch.cat((middle - distances[..., :2], middle + distances[..., 2:]), -1)
    return corners, raw[..., :classes].clamp(0, 1)


def _places(size: tuple[int, int], strides: Sequence[int], device: torch.device) -> Tensor:
    """For each cell x and y, counted in cells, and the stride. Shape: ``(cells, 3)``

    NanoDet-Plus counts from the corner of a cell, as YOLOX does, and both round the number of cells up.
    """
    grids = []
    for stride in strides:
        y, x = torch.meshgrid(
            *(torch.arange(-(-side // stride), dtype=torch.float32, device=device) for side in size), indexing="ij"
        )
        grids.append(torch.stack((x, y, torch.full_like(x, stride)), -1).flatten(0, 1))
    return torch.cat(grids)


def _best(corners: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """The boxes of one image that are kept. Shape: ``(cells, 4)`` and ``(cells, classes)`` to ``(N, 6)``"""
    from kornia.geometry.bbox import nms  # takes a second to import

    score, place = scores.flatten().topk(min(_CANDIDATES, scores.numel()))
    place = place[score >= _FLOOR]
    score = score[score >= _FLOOR]
    box, label = corners[place // scores.shape[1]], place % scores.shape[1]
    sound = (box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1]) & box.isfinite().all(1)
    box, score, label = box[sound].clamp(-1, 2), score[sound], label[sound]
    if not len(box):
        return corners.new_zeros((0, 6))
    # Boxes of different classes are moved apart, so that they do not suppress each other.
    kept = nms(box + label[:, None].to(box.dtype) * 16, score, overlap)[:_MOST]
    return torch.cat((box[kept], score[kept, None], label[kept, None].to(box.dtype)), 1)
