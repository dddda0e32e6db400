"""What tells a student how far its answer is from the teacher's: gradients, features, and a discriminator."""

from __future__ import annotations

from pathlib import Path

import torch
from imgai_classify.efficientnet_lite import DEVIATION, MEAN, load_weights
from torch import Tensor, nn
from torch.nn import functional as F

TAPS = (0, 2, 4, 7, 10)
"""Blocks of EfficientNet-Lite0 after which features are compared: the ends of the stages at 1/2 to 1/16 of the size."""


def gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the pixel below and to the right. Shape: ``(B, 3, H, W)`` to one less along one side."""
    return image.diff(dim=2), image.diff(dim=3)


def gradient_error(answer: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of the gradients."""
    pairs = zip(gradients(answer), gradients(target), strict=True)
    return torch.stack([(a - b).abs().mean() for a, b in pairs]).mean()


class Features(nn.Module):
    """The features of EfficientNet-Lite0 at five depths, each pixel's vector of length 1, as LPIPS compares them.

    Zhang et al. 2018, arXiv:1801.03924. Shape: ``(B, 3, H, W)`` in [0, 1] to five of ``(B, C, H / s, W / s)``.
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.network = load_weights(weights).requires_grad_(False)
        self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor, taps: tuple[int, ...] = TAPS) -> list[Tensor]:
        x = ((image - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)
        x = F.relu6(self.network.stem(x))
        found = []
        for number, block in enumerate(self.network.blocks[: taps[-1] + 1]):
            x = block(x)
            if number in taps:
                found.append(F.normalize(x.float(), dim=1))
        return found


def feature_error(answers: list[Tensor], targets: list[Tensor]) -> Tensor:
    """Squared distance of the unit vectors, its mean over places, then over depths."""
    return torch.stack([(a - b).square().sum(1).mean() for a, b in zip(answers, targets, strict=True)]).mean()


class Discriminator(nn.Module):
    """Says of each pixel of the small picture whether the large one over it is the teacher's.

    It sees the small picture too, as the teacher's answer is a function of it. The large one is folded to the small
    one's size, so it costs less than the student. Spectral norms keep it smooth (Miyato et al. 2018, arXiv:1802.05957).
    Shape: ``(B, 3, H, W)`` and ``(B, 3, H * scale, W * scale)`` to ``(B, 1, H, W)``.
    """

    def __init__(self, scale: int, width: int = 64) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.spectral_norm
        self.scale = scale
        self.first = nn.Conv2d(3 * scale**2 + 3, width, 3, padding=1)
        self.body = nn.ModuleList(norm(nn.Conv2d(width, width, 3, padding=n, dilation=n)) for n in (1, 1, 2, 1, 1))
        self.last = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(large - F.interpolate(small, scale_factor=self.scale), self.scale)
        x = F.leaky_relu(self.first(torch.cat((folded * 4, small * 2 - 1), 1)), 0.2)
        for layer in self.body:
            x = x + F.leaky_relu(layer(x), 0.2)
        found: Tensor = self.last(x)
        return found


def grid_error(answer: Tensor, target: Tensor, scale: int) -> Tensor:
    """How far each of the sub-pixels of a pixel is off on average over 8x8 pixels: a pattern that follows their grid.

    Where errors of features count for much, one grows in grass and gravel. Shape: ``(B, 3, H, W)`` to ``()``
    """
    cells = F.pixel_unshuffle(answer - target, scale).unflatten(1, (3, scale**2))
    means = F.avg_pool2d((cells - cells.mean(2, keepdim=True)).flatten(1, 2), 8, 4)
    return means.abs().mean()


def relativistic(mine: Tensor, other: Tensor) -> Tensor:
    """That what should look real looks more so than the mean of the other (Jolicoeur-Martineau 2018, 1807.00734)."""
    mine, other = mine.float(), other.float()
    return (F.softplus(other.mean() - mine).mean() + F.softplus(other - mine.mean()).mean()) / 2
