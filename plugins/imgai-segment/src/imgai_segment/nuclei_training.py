"""Training of `nuclei`: three maps for every labelled object."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve
from torch import Tensor
from torch.nn import functional as F

from imgai.plugin import LoadContext, Trainable, TrainContext, UsageError
from imgai_segment.nuclei import load

LARGE = 10_000
"""Pixels of an object above which its depth is computed on every second, third, ... of them: it is smooth."""


def poisson_depth(inside: np.ndarray, outer: tuple[bool, bool, bool, bool]) -> np.ndarray:
    """Solve -laplace(u) = 1 in the nucleus, 0 around it, and scale its largest value to 1.

    outer: whether the first row, last row, first and last column lie on the picture's edge: nothing flows
    through those sides, so that a nucleus cut in two has its deepest part at the cut.
    """
    step = int(np.ceil(np.sqrt(inside.sum() / LARGE)))
    if step > 1:
        coarse = poisson_depth(inside[::step, ::step], outer)
        fine = coarse.repeat(step, 0).repeat(step, 1)[: inside.shape[0], : inside.shape[1]]
        return np.asarray(np.where(inside, ndimage.uniform_filter(fine, step), 0))
    height, width = inside.shape
    number = np.full((height + 2, width + 2), -1)
    number[1:-1, 1:-1][inside] = np.arange(inside.sum())
    rows, columns = np.nonzero(number >= 0)
    here = number[rows, columns]
    diagonal = np.full(here.size, 4.0)
    blocked = ((-1, 0, rows == 1, 0), (1, 0, rows == height, 1), (0, -1, columns == 1, 2), (0, 1, columns == width, 3))
    entries = []
    for dy, dx, at_side, side in blocked:
        if outer[side]:
            diagonal[here[at_side]] -= 1
        there = number[rows + dy, columns + dx]
        entries.append((here[there >= 0], there[there >= 0]))
    i, j = (np.concatenate([e[k] for e in entries]) for k in (0, 1))
    matrix = sparse.coo_matrix((np.full(i.size, -1.0), (i, j)), (here.size, here.size)).tocsc()
    solution = spsolve(matrix + sparse.diags(diagonal + 1e-9, format="csc"), np.ones(here.size))
    depth = np.zeros(inside.shape)
    depth[inside] = solution / solution.max()
    return depth


def target_maps(labels: np.ndarray) -> np.ndarray:
    """Return the target maps: nucleus, depth, and contact (within a pixel of two nuclei).

    Masks that number no objects are taken for one object where pixels touch.

    Shape: ``(H, W)`` integers, 0 the background, to ``(3, H, W)`` float32 in [0, 1]
    """
    if labels.max(initial=0) <= 1:
        labels = ndimage.label(labels)[0]
    maps = np.zeros((3, *labels.shape), np.float32)
    maps[0] = labels > 0
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            (y, x), inside = box, labels[box] == number
            outer = (y.start == 0, y.stop == labels.shape[0], x.start == 0, x.stop == labels.shape[1])
            maps[1][box] = np.where(inside, poisson_depth(inside, outer), maps[1][box])
    highest = ndimage.maximum_filter(labels, 3)
    lowest = ndimage.minimum_filter(np.where(labels > 0, labels, np.iinfo(np.int32).max), 3)
    maps[2] = (highest > 0) & (highest != lowest)
    return maps


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of all maps, Dice of nucleus and contact, absolute error of depth."""
    nucleus, depth, contact = targets.unbind(1)
    likely = torch.sigmoid(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    weight = torch.stack((1 + 3 * contact, 1 + nucleus, 1 + 5 * contact), 1)

    def dice(k: int, dims: tuple[int, ...]) -> Tensor:
        both = (likely[:, k] * targets[:, k]).sum(dims)
        return (1 - (2 * both + 20) / (likely[:, k].sum(dims) + targets[:, k].sum(dims) + 20)).mean()

    error = ((likely[:, 1] - depth).abs() * (0.2 + nucleus)).mean()
    return (entropy * weight).mean((0, 2, 3)).sum() + dice(0, (1, 2)) + 0.5 * dice(2, (0, 1, 2)) + 2 * error


def train(context: TrainContext) -> Trainable:
    """Go on from the shipped weights, with objects of one's own. Raises UsageError for several classes."""
    if len(context.model.labels or ()) != 1:
        raise UsageError(
            f"nuclei finds objects of one class, and there are {', '.join(context.model.labels or ())}",
            "train --from unet for several",
        )
    predictor = load(LoadContext(model=context.model, device=context.device, weights=context.weights))
    return Trainable(
        predictor=predictor, loss=loss_of, target=target_maps, is_head=lambda name: name.startswith("head."), rate=2e-4
    )
