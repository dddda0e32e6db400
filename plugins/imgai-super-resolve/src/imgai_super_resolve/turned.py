"""Test-time augmentation: the mean over the eight orientations of a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Turned(nn.Module):
    """The mean of a network's answers to a picture in its eight orientations, each turned back.

    Geometric self-ensemble (Timofte, Rothe, Van Gool 2016, arXiv:1511.02228). Shape: that of the network
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        total: Tensor | None = None
        for turns in range(4):
            for mirrored in (False, True):
                seen = torch.rot90(image.flip(3) if mirrored else image, turns, (2, 3)).contiguous()
                answer = torch.rot90(self.network(seen), -turns, (2, 3))
                answer = answer.flip(3) if mirrored else answer
                total = answer if total is None else total + answer
        assert total is not None
        return total / 8
