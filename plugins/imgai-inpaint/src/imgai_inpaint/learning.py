"""How `small` is taught other pictures: holes are drawn into them, and it learns what was there."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from imgai.plugin import LoadContext, Trainable, TrainContext
from imgai_inpaint.drawn import draw_mask
from imgai_inpaint.network import load

EDGES = 0.5
"""The weight of the differences of neighbours, relative to the values themselves."""
_LEAST, _MOST = 0.03, 0.25
"""The part of a picture that is drawn over."""
_SMALLEST = 16
"""Pixels of holes that a picture is taken to have at least, in the mean over them."""


def holes(clean: Tensor, generator: torch.Generator) -> Tensor:
    """Draw holes into pictures, and give them as the network takes them.

    Shape: ``(B, 3, h, w)`` in [0, 1] to ``(B, 4, h, w)``: black in holes, and the mask, 1 in holes
    """
    height, width = clean.shape[-2:]
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    drawn = [draw_mask(rng, max(height, width), least=_LEAST, most=_MOST)[:height, :width] for _ in clean]
    mask = torch.from_numpy(np.stack(drawn))[:, None].to(clean)
    return torch.cat((clean * (1 - mask), mask), dim=1)


def loss_of(answer: Tensor, clean: Tensor) -> Tensor:
    """Return the mean difference in holes, with that of the differences of neighbours.

    Shape: ``(B, 3, h, w)`` twice, equal outside of holes, to a scalar
    """
    wrong = answer - clean
    down, across = wrong[:, :, 1:] - wrong[:, :, :-1], wrong[..., 1:] - wrong[..., :-1]
    size = 3 * (wrong.detach() != 0).any(1).sum((1, 2)).clamp(min=_SMALLEST)
    total = wrong.abs().sum((1, 2, 3)) + EDGES * (down.abs().sum((1, 2, 3)) + across.abs().sum((1, 2, 3))) / 2
    return (total / size).mean()


def train(context: TrainContext) -> Trainable:
    """Go on from the shipped weights, with holes drawn into clean pictures."""
    predictor = load(LoadContext(model=context.model, device=context.device, weights=context.weights))
    return Trainable(predictor=predictor, loss=loss_of, spoil=holes, augment=("flip", "turn"), rate=1e-4)
