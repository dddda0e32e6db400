"""The ``linear`` model: white minus the picture."""

from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor


class Negative(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1], kept."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, image: Tensor) -> Tensor:
        return image + self.strength * (1 - 2 * image)


def load(context: LoadContext) -> Predictor:
    """Load the model."""
    return Predictor(network=Negative(context.params.strength))
