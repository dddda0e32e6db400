"""Predictors of any network, with test-time augmentation: the mean over orientations of a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor

ALL = tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True))
"""The eight orientations of a picture: quarter turns, and whether it is mirrored before."""
ONE = ALL[:1]
TWO = ((0, False), (2, False))
"""As it is, and upside down: more than half of what all eight gain, at a quarter of their time."""


def mean_over(orientations: Sequence[tuple[int, bool]], network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """The mean of a network's answers for several orientations of a picture, transformed back.

    Geometric self-ensemble (Timofte, Rothe, Van Gool 2016, arXiv:1511.02228). Shape: that of the network
    """
    total: Tensor | None = None
    for turns, mirrored in orientations:
        seen = torch.rot90(image.flip(3) if mirrored else image, turns, (2, 3)).contiguous()
        answer = torch.rot90(network(seen), -turns, (2, 3))
        answer = answer.flip(3) if mirrored else answer
        total = answer if total is None else total + answer
    assert total is not None
    return total / len(orientations)


class Turned(nn.Module):
    """The mean over all eight orientations. Shape: that of the network"""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return mean_over(ALL, self.network, image)


def predictor(context: LoadContext, load_weights: Callable[[Path, int], nn.Module]) -> Predictor:
    """The network that `load_weights` makes of a file and a scale, turned if the params ask for it.

    Raises ValueError if the context names no weights, and what `load_weights` raises.
    """
    if context.weights is None:
        raise ValueError(f"the model {context.model.name} needs its weights")
    network = load_weights(context.weights, context.model.scale)
    if getattr(context.params, "tta", False):
        network = Turned(network)
    return Predictor(network=network.to(context.device))
