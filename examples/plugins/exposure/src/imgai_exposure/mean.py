"""The ``mean`` model: how far the mean lightness is from middle grey."""

import torch
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor

_MIDDLE = 0.46  # middle grey, 18 % of the light, in sRGB
_SOFT = 0.04  # a difference of that much makes it sure


class Mean(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3)``, which sum to 1."""

    def __init__(self, tolerance: float) -> None:
        super().__init__()
        self.tolerance = tolerance

    def forward(self, image: Tensor) -> Tensor:
        off = image.mean(dim=(1, 2, 3)) - _MIDDLE
        scores = torch.stack((-off - self.tolerance, torch.zeros_like(off), off - self.tolerance), dim=1)
        return (scores / _SOFT).softmax(dim=1)


def load(context: LoadContext) -> Predictor:
    """Load the model."""
    return Predictor(network=Mean(context.params.tolerance))
