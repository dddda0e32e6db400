"""How pictures are changed so that the same one is never seen twice, without changing what they show.

What acts on each level alone (gain, contrast, gamma) is computed by kornia for all levels that a picture of 8 bits can
have, and looked up: on a CPU that costs a tenth of doing it for every pixel, and gives the same numbers. The amounts
are drawn here rather than by kornia.augmentation, whose generator is that of the whole program: a step's pictures must
follow from the seed and the number of the step alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from kornia.enhance import adjust_gamma
from kornia.filters import gaussian_blur2d
from torch import Tensor

LEVELS = ("none", "light", "strong")
"""How much."""
DEFAULTS = {
    "scores": ("flip", "scale", "light", "color"),
    "mask": ("flip", "turn", "scale", "light", "color", "blur", "noise"),
    "image": ("flip", "turn"),
    "boxes": ("flip", "scale", "light", "color"),
}
"""By output: what keeps what most pictures show. Of IMAGE nothing that input and target do not share."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """The strength of each augmentation; 0 disables it.

    flip: mirror left and right. turn: by quarters. zoom: the window's side as a factor, to both sides. least: the
    smallest part of a whole picture that is seen. gain, gamma: in powers of e. contrast: to both sides of 1.
    color: of each channel's own gain. blur: the greatest sigma in pixels.
    noise: the greatest deviation, as a part of four times the picture's own.
    """

    flip: bool = False
    turn: bool = False
    zoom: float = 0.0
    least: float = 1.0
    gain: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    color: float = 0.0
    blur: float = 0.0
    noise: float = 0.0


def amounts(level: str, names: tuple[str, ...]) -> Amounts:
    """Return the strengths of these augmentations at a level."""
    if level == "none":
        return Amounts()
    strong = level == "strong"
    light, color = "light" in names, "color" in names
    return Amounts(
        flip="flip" in names,
        turn="turn" in names,
        zoom=(0.5 if strong else 0.22) if "scale" in names else 0.0,
        least=(0.25 if strong else 0.6) if "scale" in names else 1.0,
        gain=(0.35 if strong else 0.15) * light,
        contrast=(0.35 if strong else 0.15) * light,
        gamma=(0.4 if strong else 0.2) * light,
        color=(0.15 if strong else 0.04) * color,
        blur=(1.5 if strong else 0.8) * ("blur" in names),
        noise=(0.05 if strong else 0.02) * ("noise" in names),
    )


_OFTEN, _SELDOM = 0.7, 0.2
_TAPS = 7


def relit(pixels: np.ndarray, amount: Amounts, rng: np.random.Generator) -> Tensor:
    """A picture in another light, as a network is given it.

    Shape: ``(h, w)`` or ``(h, w, 3)``, uint8 or uint16, to ``(3, h, w)`` float32 in [0, 1]
    """
    gray = pixels.ndim == 2
    channels = 1 if gray else 3
    levels = 256 if pixels.dtype == np.uint8 else 65536
    table = torch.linspace(0, 1, levels).expand(channels, 1, levels)
    if rng.random() < _OFTEN:
        table = _lit(table, float(pixels.mean()) / (levels - 1), amount, rng)
    lookup = table[:, 0].numpy()
    planes = np.stack([np.take(lookup[c], pixels if gray else pixels[..., c]) for c in range(channels)])
    image = torch.from_numpy(planes)
    if amount.blur and rng.random() < _SELDOM and min(image.shape[-2:]) > _TAPS // 2:
        sigma = float(rng.uniform(0.2, amount.blur))
        image = gaussian_blur2d(image[None], (_TAPS, _TAPS), (sigma, sigma))[0].clamp_(0, 1)
    if amount.noise and rng.random() < _SELDOM:
        # A picture that uses a tenth of the range has noise of its own range.
        deviation = float(rng.uniform(0, amount.noise)) * min(1.0, 4 * float(image.std(unbiased=False)))
        image = (image + deviation * torch.from_numpy(rng.standard_normal(image.shape, np.float32))).clamp_(0, 1)
    return image.expand(3, -1, -1)


def _lit(table: Tensor, mean: float, amount: Amounts, rng: np.random.Generator) -> Tensor:
    """Gain, colour, contrast and gamma of every level. Shape: ``(C, 1, N)`` in [0, 1], kept"""
    gains = np.exp(rng.uniform(-amount.gain, amount.gain) + rng.uniform(-amount.color, amount.color, len(table)))
    table = table * torch.from_numpy(gains.astype(np.float32))[:, None, None]
    if amount.contrast:
        factor = float(rng.uniform(1 - amount.contrast, 1 + amount.contrast))
        table = (mean + factor * (table - mean)).clamp(0, 1)
    if amount.gamma:
        table = adjust_gamma(table.clamp(0, 1), math.exp(rng.uniform(-amount.gamma, amount.gamma)))
    return table.clamp(0, 1)
