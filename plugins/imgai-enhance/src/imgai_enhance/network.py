"""The predictors of both models: a look is computed once per picture, and applied to all of its tiles."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor, identity
from imgai_enhance.cleaner import Cleaner
from imgai_enhance.editor import Editor
from imgai_enhance.look import PARTS, apply, luma
from imgai_enhance.survey import leveled, spared

MARGIN = 8
"""Pixels of reflection padding around a tile before it is denoised."""
COLOUR = 2.0
"""How much more of the noise in colours is taken out than of that in brightness, where detail is."""


class Enhancer(nn.Module):
    """A tile in the look of its picture.

    Shape: ``(B, 3, H, W)`` in [0, 1], ``(B, SIZE)``, ``(B, 4)`` -> ``(B, 3, H, W)``

    parts: which of PARTS are touched.
    strength: how much of the change is made, 0 to 1.
    cleaner: takes out the noise that more light shows; None where there is none to.
    noise: how much of it in brightness, 0 to 1, and COLOUR times as much in colours.
    """

    def __init__(
        self,
        parts: Collection[str] = PARTS,
        strength: float = 1.0,
        cleaner: nn.Module | None = None,
        noise: float = 1.0,
    ) -> None:
        super().__init__()
        self.parts = tuple(parts)
        self.strength = strength
        self.cleaner = cleaner
        self.noise = noise

    def forward(self, image: Tensor, look: Tensor, place: Tensor) -> Tensor:
        # Half precision has fewer levels than a picture of 16 bits.
        with torch.autocast(image.device.type, enabled=False):
            made = apply(image, look, place, self.parts)
        if self.cleaner is not None and self.noise > 0:
            padded = F.pad(made, (MARGIN,) * 4, mode="reflect")
            found = self.cleaner(padded)[..., MARGIN:-MARGIN, MARGIN:-MARGIN].float()
            colour = min(1.0, COLOUR * self.noise)
            made = torch.sub(made, found, alpha=colour).add_(luma(found), alpha=colour - self.noise)
        return made if self.strength == 1 else image + self.strength * (made - image)


def load_networks(file: Path, name: str, device: torch.device) -> tuple[Editor, Cleaner | None]:
    """Build the network that predicts the look, and the one that denoises, which only `low-light` has.

    Raises ValueError if the file holds the weights of another network.
    """
    state = {key: value.to(torch.float32) for key, value in load_file(file, device=str(device)).items()}
    mine = [key for key in state if key.startswith("cleaner.")]
    editor, cleaner = Editor(dark=bool(mine)), Cleaner() if mine else None
    if not any(key.startswith("illuminant.") for key in state):
        editor.illuminant = None  # trained by a user from weights of before it
    try:
        if cleaner is not None:
            cleaner.load_state_dict({key.removeprefix("cleaner."): state.pop(key) for key in mine})
        editor.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{file.name} does not hold the weights of {name}") from error
    return editor.to(device), cleaner


def load(context: LoadContext) -> Predictor:
    """Load either model; `low-light` has a second network, which denoises.

    Shape: ``(B, 3, h, w)`` in [0, 1] -> the same; of `low-light`, h and w are multiples of 8 and at least 16

    Raises:
        ValueError: the context names no weights, or the file holds those of another network.
    """
    strength = float(getattr(context.params, "strength", 1.0))
    if strength == 0:
        return Predictor(network=identity)
    name = context.model.name
    if context.weights is None:
        raise ValueError(f"the model {name} needs its weights")
    editor, cleaner = load_networks(context.weights, name, context.device)
    editor.eval().requires_grad_(False)
    parts = getattr(context.params, "only", ()) or PARTS
    noise = float(getattr(context.model_params, "noise", 1.0))
    enhancer = Enhancer(parts, strength, cleaner, noise).to(context.device)

    def survey(view: Tensor) -> Tensor:
        look = spared(view, editor(view), parts)
        return (leveled(view, look, parts) if editor.dark else look)[0]

    return Predictor(network=enhancer, survey=survey)
