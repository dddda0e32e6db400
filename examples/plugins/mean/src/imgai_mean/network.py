"""Several models of pictures as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor


class Mean(nn.Module):
    """The mean of what several models answer. Shape: ``(B, 3, H, W)`` in [0, 1], kept"""

    def __init__(self, parts: Sequence[Predictor], strength: float) -> None:
        super().__init__()
        self.parts = parts
        self.networks = nn.ModuleList(part.network for part in parts if isinstance(part.network, nn.Module))
        self.strength = strength

    def forward(self, image: Tensor) -> Tensor:
        answers = [part.postprocess(part.network(part.preprocess(image))) for part in self.parts]
        return torch.lerp(image, torch.stack(answers).mean(0), self.strength)


def load(context: LoadContext) -> Predictor:
    """Load the models that this one declares to use."""
    parts = [context.load(name) for name in context.model.uses]
    return Predictor(network=Mean(parts, context.params.strength))
