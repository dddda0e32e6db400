"""Training of NanoDet: assignment of cells to objects, and the losses.

Cells are chosen by ATSS (Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive
Training Sample Selection", CVPR 2020, arXiv:1912.02424). The losses are those of generalized focal loss (Li et al.,
NeurIPS 2020, arXiv:2006.04388): quality focal loss of the scores, distribution focal loss of the sides' bins, and the
generalized intersection over union (Rezatofighi et al., CVPR 2019, arXiv:1902.09630) of the boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai_detect.boxes import decoded, places
from imgai_detect.network import BINS, STRIDES

NEAREST = 9
"""The number of nearest cells of each grid that are candidates for an object."""
ANCHOR = 5.0
"""The side of the square around a cell that stands for it when cells are chosen, in strides."""
SIDES, SHAPES = 0.25, 2.0
"""The weights of the distribution loss and the overlap loss, relative to the score loss."""


def loss_of(grids: Sequence[Tensor], targets: Tensor) -> Tensor:
    """The loss of a batch.

    Shape: for each of STRIDES ``(B, classes + 44, h, w)``; ``(B, M, 5)``: class (-1 fills up), x0, y0, x1, y1 as
    fractions
    """
    classes = grids[0].shape[1] - 4 * BINS
    cells = torch.cat([grid.permute(0, 2, 3, 1).flatten(1, 2) for grid in grids], dim=1)  # (B, N, classes + 44)
    place = places(grids)
    counts = [grid.shape[-2] * grid.shape[-1] for grid in grids]
    height, width = (side * STRIDES[0] for side in grids[0].shape[-2:])
    size = cells.new_tensor((width, height, width, height))
    logits, distances = cells[..., :classes], cells[..., classes:]
    quality = torch.zeros_like(logits)
    shapes, sides, weights = [], [], []
    for number, target in enumerate(targets):
        target = target[target[:, 0] >= 0]
        boxes, labels = target[:, 1:] * size, target[:, 0].long()
        chosen = assigned(place, counts, boxes)
        mine = (chosen >= 0).nonzero()[:, 0]
        if not len(mine):
            continue
        due, label = boxes[chosen[mine]], labels[chosen[mine]]
        said = distances[number, mine]
        found = decoded(said[None], place[mine][None])[0]
        with torch.no_grad():
            quality[number, mine, label] = overlap(found, due).clamp(min=0)
            weights.append(logits[number, mine].sigmoid().amax(dim=1))
        shapes.append(1 - overlap(found, due, general=True))
        sides.append(spread(said, place[mine], due))
    positives = max(1, sum(len(each) for each in shapes))
    loss = quality_focal(logits, quality).sum() / positives
    if shapes:
        weight = torch.cat(weights)
        total = weight.sum().clamp(min=1e-3)
        loss = loss + SHAPES * (torch.cat(shapes) * weight).sum() / total
        loss = loss + SIDES * (torch.cat(sides) * weight).sum() / total
    return loss


def assigned(place: Tensor, counts: Sequence[int], boxes: Tensor) -> Tensor:
    """Assign a box to each cell; -1 for none.

    Of the NEAREST cells of each grid, those answer for a box whose anchors overlap it by more than the mean and one
    deviation, and whose centres lie in it. A cell that several boxes want answers for the one it overlaps most.

    Shape: ``(N, 3)`` x, y and stride of cells, grid after grid; ``(M, 4)`` in pixels -> ``(N,)`` int64
    """
    if not len(boxes):
        return torch.full((len(place),), -1, dtype=torch.int64, device=place.device)
    half = place[:, 2:] * ANCHOR / 2
    anchors = torch.cat((place[:, :2] - half, place[:, :2] + half), dim=1)
    overlaps = overlap(anchors[:, None], boxes[None])  # (N, M)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    far = torch.cdist(place[:, :2], middle)
    candidates = torch.zeros_like(far, dtype=torch.bool)
    start = 0
    for count in counts:
        near = far[start : start + count].topk(min(NEAREST, count), dim=0, largest=False).indices
        candidates[start : start + count].scatter_(0, near, True)
        start += count
    number = candidates.sum(0)
    mean = (overlaps * candidates).sum(0) / number
    deviation = (((overlaps - mean).square() * candidates).sum(0) / (number - 1).clamp(min=1)).sqrt()
    x, y = place[:, 0:1], place[:, 1:2]
    inside = (x > boxes[:, 0]) & (y > boxes[:, 1]) & (x < boxes[:, 2]) & (y < boxes[:, 3])
    wanted = candidates & inside & (overlaps >= mean + deviation)
    best, index = torch.where(wanted, overlaps, -1.0).max(dim=1)
    return torch.where(best >= 0, index, -1)


def overlap(one: Tensor, other: Tensor, *, general: bool = False) -> Tensor:
    """Return the intersection over union of pairs of boxes. general: the generalized IoU.

    Shape: ``(..., 4)`` twice, broadcast, to ``(...)``
    """
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area, another = ((box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1) for box in (one, other))
    union = (area + another - shared).clamp(min=1e-6)
    if not general:
        return shared / union
    whole = (torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])).prod(-1)
    whole = whole.clamp(min=1e-6)
    return shared / union - (whole - union) / whole


def quality_focal(logits: Tensor, quality: Tensor) -> Tensor:
    """The cross-entropy to the overlap that was reached, weighted by how far off the score is, squared."""
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return entropy * (logits.sigmoid() - quality).square()


def spread(said: Tensor, place: Tensor, due: Tensor) -> Tensor:
    """How unlikely the bins at both sides of each true distance are; the mean of the four sides.

    Shape: ``(P, 44)`` logits, ``(P, 3)``, ``(P, 4)`` in pixels -> ``(P,)``
    """
    distances = torch.cat((place[:, :2] - due[:, :2], due[:, 2:] - place[:, :2]), dim=1) / place[:, 2:]
    distances = distances.clamp(0, BINS - 1 - 0.01)
    left = distances.long()
    share = distances - left
    bins = said.reshape(-1, 4, BINS).log_softmax(dim=2)
    lower, upper = (-bins.gather(2, (left + more)[..., None])[..., 0] for more in (0, 1))
    return (lower * (1 - share) + upper * share).mean(dim=1)
