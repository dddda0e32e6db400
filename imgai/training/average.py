"""The moving average of a network's weights, which is measured and saved."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

LONGEST = 0.999
SHARE = 0.05
"""The window of the average as a fraction of the steps so far (a twentieth), up to a thousand steps."""


class Average:
    """Weights averaged over the latest steps (Polyak and Juditsky 1992), statistics of normalisation included.

    network: the averaged one, in evaluation mode.
    """

    def __init__(self, network: nn.Module, *, moving: bool = True) -> None:
        """moving: False keeps the weights as they are after the latest step."""
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._moving = moving
        mean, new = self.network.state_dict(), network.state_dict()
        self._pairs = [(mean[name], new[name]) for name in mean]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        keep = min(LONGEST, 1 - 1 / (1 + SHARE * step)) if self._moving else 0.0
        floats = [(mean, new) for mean, new in self._pairs if mean.is_floating_point()]
        means, news = [mean for mean, _ in floats], [new for _, new in floats]
        torch._foreach_lerp_(means, news, 1 - keep)
        for mean, new in self._pairs:
            if not mean.is_floating_point():
                mean.copy_(new)

    def state(self) -> dict[str, Tensor]:
        """The averaged tensors by name."""
        return dict(self.network.state_dict())

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned."""
        self.network.load_state_dict(state)
