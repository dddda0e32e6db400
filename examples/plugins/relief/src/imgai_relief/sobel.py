"""The ``sobel`` model: by how much of white the brightness changes from a pixel to the next."""

from kornia.filters import sobel
from torch import Tensor

from imgai.plugin import LoadContext, Predictor


def steepness(image: Tensor) -> Tensor:
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 1, H, W)`` in [0, 1]."""
    return sobel(image.mean(dim=1, keepdim=True)).clamp(0, 1)


def load(context: LoadContext) -> Predictor:
    """Load the model."""
    return Predictor(network=steepness)
