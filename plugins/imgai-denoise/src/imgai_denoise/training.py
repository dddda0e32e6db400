"""Fine-tuning by ``imgai train denoise``, for example for the noise of one camera."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from torch import Tensor

from imgai.plugin import LoadContext, Predictor, Trainable, TrainContext
from imgai_denoise import ffdnet, network
from imgai_denoise.network import crop

HIGHEST = 60 / 255
"""The highest standard deviation of noise for `gaussian`, in levels of 255."""
SHOT, READ = (1e-4, 1e-2), (1e-4, 1e-2)
"""The least and the greatest variance of the light's own noise, a unit of light, and deviation of the sensor's."""
EPSILON = 1e-5
"""Added to a crop's squared error before its logarithm is taken: beyond 50 dB it is good enough."""


def loss_of(answer: Tensor, target: Tensor) -> Tensor:
    """The PSNR, crop by crop. Shape: ``(B, 3, h + 16, w + 16)`` and ``(B, 3, h, w)`` to a scalar"""
    squared = (crop(answer) - target).square().mean((1, 2, 3))
    return (squared + EPSILON).log().mean()


def white(clean: Tensor, generator: torch.Generator) -> Tensor:
    """White Gaussian noise of any level up to HIGHEST. Shape: ``(B, 3, h, w)``, kept"""
    return clean + _normal(clean, generator) * _uniform(clean, generator) * HIGHEST


def sensor(clean: Tensor, generator: torch.Generator) -> Tensor:
    """The noise of a sensor, in linear light: its variance grows with the light (Foi et al. 2008). In 8 bits.

    Shape: ``(B, 3, h, w)`` in [0, 1], kept
    """
    light = rgb_to_linear_rgb(clean)
    shot, read = (
        low * (high / low) ** _uniform(clean, generator) for low, high in (SHOT, READ)
    )  # as likely at any order of magnitude
    noisy = light + _normal(clean, generator) * (shot * light + read.square()).sqrt()
    return (linear_rgb_to_rgb(noisy.clamp(0, 1)) * 255).round() / 255


def _uniform(clean: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(len(clean), 1, 1, 1, generator=generator).to(clean.device)


def _normal(clean: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(clean.shape, generator=generator).to(clean.device)


def train(
    context: TrainContext,
    load: Callable[[LoadContext], Predictor] = network.load,
    spoil: Callable[[Tensor, torch.Generator], Tensor] = sensor,
    head: str = "noise.head.",
    rate: float = 1e-4,
) -> Trainable:
    """Go on from the shipped weights of `photo`; of clean pictures alone, with the noise of a sensor.

    head: how the names of those weights begin that get the whole rate.
    """
    return Trainable(
        predictor=load(LoadContext(model=context.model, device=context.device, weights=context.weights)),
        loss=loss_of,
        save=lambda denoiser: denoiser.noise.state_dict(),
        spoil=spoil,
        augment=("flip", "turn"),
        is_head=lambda name: name.startswith(head),
        rate=rate,
    )


train_gaussian = partial(train, load=ffdnet.load, spoil=white, head="noise.level.", rate=1e-5)
"""As `train`, with white noise, from the weights of `gaussian`: FFDNet bears a small rate alone."""
