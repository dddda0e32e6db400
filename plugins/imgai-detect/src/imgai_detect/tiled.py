"""Small objects in large pictures: tiles at the picture's own size, and the whole picture, small, beside them.

Slicing aided detection (Akyon et al., ICIP 2022, arXiv:2202.06934). What is larger than a tile is found in the whole
picture alone; each such box is handed to the tile that its middle lies in, and the host merges all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Model, Predictor
from imgai_detect.boxes import boxes_of, suppressed

TILE, OVERLAP = 640, 128
"""Of the tiles, in pixels. What is smaller than the overlap lies whole in one of them."""
VIEW = 416
"""The longer side of the resized whole picture."""
MULTIPLE = 32
WHOLE = 50
"""The maximum number of boxes of the whole picture."""
FLOOR = 0.1
"""Boxes with a lower score are dropped, so that merging many tiles stays quick."""
FARTHEST = 30.0
"""Boxes that reach farther from their tile, in sides of a tile, are dropped: the host would take them for pixels."""
SAME = 0.5
"""Boxes of a tile and of the whole picture whose intersection over union is larger are one object."""
GREY = 114 / 255


class Beside(nn.Module):
    """A detector that also returns the boxes of the whole picture.

    Shape: ``(B, 3, h, w)``, ``(B, WHOLE * 6)``, ``(B, 4)`` -> the grids of the detector, and the other two as they are
    """

    def __init__(self, network: Callable[[Tensor], Sequence[Tensor]]) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, notes: Tensor, place: Tensor) -> tuple[Tensor, ...]:
        return (*self.network(image), notes, place)


def tiled(model: Model, predictor: Predictor, only: Sequence[int] | None) -> Predictor:
    """A predictor of tiles, made of one of whole pictures. only: the classes that are asked for; None: all."""
    declared = dataclasses.replace(
        model,
        input_size=None,
        fit="stretch",
        multiple_of=MULTIPLE,
        minimum=2 * MULTIPLE,
        tile=TILE,
        overlap=OVERLAP,
        overview=VIEW,
    )
    return dataclasses.replace(
        predictor,
        network=Beside(predictor.network),
        postprocess=partial(joined, only=only),
        survey=partial(surveyed, predictor),
        model=declared,
    )


def surveyed(predictor: Predictor, view: Tensor) -> Tensor:
    """The boxes of a whole picture, as fractions of its sides, in one row.

    Shape: ``(1, 3, h, w)`` in [0, 1] -> ``(WHOLE * 6,)``
    """
    height, width = view.shape[-2:]
    padded = F.pad(view, (0, -width % MULTIPLE, 0, -height % MULTIPLE), value=GREY)
    boxes: Tensor = predictor.postprocess(predictor.network(predictor.preprocess(padded)))[0, :WHOLE]
    down, across = padded.shape[-2] / height, padded.shape[-1] / width
    boxes = boxes * boxes.new_tensor((across, down, across, down, 1, 1))
    boxes[:, :4] = boxes[:, :4].clamp(0, 1)
    real = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]) & (boxes[:, 4] >= FLOOR)
    return torch.where(real[:, None], boxes, 0).flatten()


def joined(answer: Sequence[Tensor], only: Sequence[int] | None) -> Tensor:
    """The boxes of tiles, and those of the whole picture whose middle lies in the tile, as fractions of the tile.

    Shape: the grids, notes ``(B, WHOLE * 6)`` and places ``(B, 4)`` -> ``(B, M, 6)``
    """
    *grids, notes, place = answer
    top, left, height, width = place[:, None].unbind(2)
    x0, y0, x1, y1, score, label = notes.unflatten(1, (-1, 6)).unbind(2)
    x0, x1 = (x0 - left) / width, (x1 - left) / width
    y0, y1 = (y0 - top) / height, (y1 - top) / height
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    mine = (score > 0) & (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    whole = torch.stack((x0, y0, x1, y1, score, label), dim=2)
    mine &= whole[..., :4].abs().amax(dim=2) < FARTHEST
    boxes = torch.cat((boxes_of(grids, only, FLOOR), torch.where(mine[..., None], whole, 0)), dim=1)
    order = boxes[..., 4].argsort(dim=1, descending=True, stable=True)
    boxes = boxes.gather(1, order[..., None].expand(-1, -1, 6))
    kept = suppressed(boxes[..., :4], boxes[..., 4], boxes[..., 5], SAME)
    return torch.where(kept[..., None], boxes, 0)
