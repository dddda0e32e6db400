"""Fine-tuning by ``imgai train enhance`` on pairs of original and edited pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Predictor, Trainable, TrainContext
from imgai_enhance.editor import SIDE
from imgai_enhance.network import Enhancer, load_networks

EPSILON = 1e-6
CALM = 1e-4
"""What the squares of a look's numbers cost: what does not show in the pictures stays as it is."""


class Whole(nn.Module):
    """A picture in the look that the editor finds for it, as if the picture were all that there is.

    Shape: ``(B, 3, H, W)`` in [0, 1] to the same, and the looks ``(B, SIZE)``
    """

    def __init__(self, editor: nn.Module, cleaner: nn.Module | None) -> None:
        super().__init__()
        self.editor = editor
        self.enhancer = Enhancer(cleaner=cleaner)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        # A look is found as in a run: not in half precision.
        with torch.autocast(image.device.type, enabled=False):
            look = self.editor(F.interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True))
        place = image.new_tensor([[0.0, 0.0, 1.0, 1.0]]).expand(len(image), -1)
        return self.enhancer(image, look, place), look


def loss_of(answer: tuple[Tensor, Tensor], target: Tensor) -> Tensor:
    """The Charbonnier loss plus the penalty CALM."""
    made, look = answer
    return ((made - target).square() + EPSILON).sqrt().mean() + CALM * look.square().mean()


def saved(network: Any) -> dict[str, Tensor]:
    """Return the tensors in the form that `load` reads."""
    tensors = dict(network.editor.state_dict())
    if network.enhancer.cleaner is not None:
        tensors |= {f"cleaner.{name}": value for name, value in network.enhancer.cleaner.state_dict().items()}
    return tensors


def train(context: TrainContext) -> Trainable:
    """Go on from the shipped weights. There is nothing that could spoil clean pictures: pairs are needed."""
    assert context.weights is not None
    editor, cleaner = load_networks(context.weights, context.model.name, context.device)
    network = Whole(editor, cleaner).to(context.device)
    return Trainable(
        predictor=Predictor(network=network),
        loss=loss_of,
        save=saved,
        augment=("flip",),
        is_head=lambda name: name.startswith(("editor.last.", "editor.local.")),
        rate=5e-5,
    )
