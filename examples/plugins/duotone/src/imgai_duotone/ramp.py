"""The ``ramp`` model: lightness chooses a place on the line between two colours."""

import torch
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor, identity

_RGB = {
    "black": (0.0, 0.0, 0.0),
    "navy": (0.05, 0.08, 0.3),
    "maroon": (0.4, 0.0, 0.1),
    "teal": (0.0, 0.4, 0.4),
    "orange": (1.0, 0.5, 0.1),
    "gold": (1.0, 0.85, 0.4),
    "pink": (1.0, 0.75, 0.8),
    "white": (1.0, 1.0, 1.0),
}
_LUMA = (0.299, 0.587, 0.114)


class Ramp(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1], kept."""

    ends: Tensor
    luma: Tensor

    def __init__(self, dark: str, light: str, strength: float) -> None:
        super().__init__()
        self.register_buffer("ends", torch.tensor([_RGB[dark], _RGB[light]]).view(2, 3, 1, 1))
        self.register_buffer("luma", torch.tensor(_LUMA).view(1, 3, 1, 1))
        self.strength = strength

    def forward(self, image: Tensor) -> Tensor:
        light = (image * self.luma).sum(dim=1, keepdim=True)
        made = self.ends[:1] + light * (self.ends[1:] - self.ends[:1])
        return image + self.strength * (made - image)


def load(context: LoadContext) -> Predictor:
    """Load the model; with a strength of 0 nothing changes, and files are copied to the bit."""
    params = context.params
    if params.strength == 0:
        return Predictor(network=identity)
    return Predictor(network=Ramp(params.dark, params.light, params.strength).to(context.device))
