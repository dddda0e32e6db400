"""What makes a picture look painted: the statistics of features, and of small patches of pixels.

Features are those of EfficientNet-Lite0, trained on ImageNet. Its relu6 cuts the few high peaks that make the features
of residual networks bad at style (Wang, Li and Vasconcelos 2021, arXiv:2104.05623: they are smoothed there by a
softmax); means and covariances are matched in place of Gram matrices, so that no channel's mean drowns the rest. They
are taken inside the blocks, before and after the depthwise convolutions, where there are six times as many channels.
Patches are matched in the sliced Wasserstein distance (Rabin et al. 2011; Elnekave and Weiss 2022, arXiv:2203.11862) on
a pyramid: that is what brings the palette and the strokes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = ("stem", "e1", "d1", "e3", "d3", "e5", "d5")
"""Whose statistics make the style: after expansion (e) or after the depthwise filter (d) of a block."""
CONTENT = "e5"
LEVELS, PATCH, SLICES, SAMPLES = 5, 7, 24, 2048
"""Of the pyramid: levels, side of a patch, random projections of a level, patches that are compared."""


class Features(nn.Module):
    """The first blocks of EfficientNet-Lite0, frozen. Shape: ``(B, 3, H, W)`` in [0, 1] -> the taps, by name."""

    def __init__(self, network: Any, blocks: int = 6) -> None:
        super().__init__()
        self.stem, self.blocks = network.stem, network.blocks[:blocks]
        self.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = F.relu6(self.stem(x * (255 / 128) - 127 / 128))
        taps = {"stem": x}
        for index, block in enumerate(self.blocks):  # type: ignore[arg-type]
            wide = x if block.expand is None else F.relu6(block.expand(x))
            taps[f"e{index}"] = wide
            if index == len(self.blocks) - 1 and f"d{index}" not in TAPS:  # type: ignore[arg-type]
                break
            taps[f"d{index}"] = F.relu6(block.depthwise(wide))
            y = block.project(taps[f"d{index}"])
            x = x + y if block.shortcut else y
        return taps


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the channels. Shape: ``(B, C, H, W)`` -> ``(B, C)``, ``(B, C, C)``"""
    flat = features.flatten(2).float()
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    return mean.squeeze(2), centred @ centred.transpose(1, 2) / flat.shape[2]


def style_error(found: dict[str, Tensor], wanted: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
    """How far the moments are from those of the style, relative to them. ``(B,)``"""
    error = torch.zeros(())
    for tap in TAPS:
        mean, covariance = moments(found[tap])
        due_mean, due = wanted[tap]
        error = error + (covariance - due).square().sum((1, 2)) / due.square().sum((1, 2))
        error = error + (mean - due_mean).square().sum(1) / due_mean.square().sum(1)
    return error


def content_error(found: dict[str, Tensor], kept: dict[str, Tensor]) -> Tensor:
    """How far what can be recognised is from what could be; brightness and contrast do not count. ``(B,)``"""
    difference = F.instance_norm(found[CONTENT].float()) - F.instance_norm(kept[CONTENT].float())
    return difference.square().mean((1, 2, 3))


def patch_error(pictures: Tensor, paintings: list[Tensor]) -> Tensor:
    """Sliced Wasserstein distance of small patches, each picture's to its painting's, over a pyramid. ``(B,)``"""
    error = torch.zeros(len(pictures))
    for _ in range(LEVELS):
        slices = torch.randn(3 * PATCH * PATCH, SLICES)
        slices = slices / slices.norm(dim=0)
        errors = []
        for index, painting in enumerate(paintings):
            made, due = _patches(pictures[index]) @ slices, _patches(painting[0]) @ slices
            errors.append((made.sort(0).values - due.sort(0).values).abs().mean())
        error = error + torch.stack(errors)
        pictures = F.avg_pool2d(pictures, 2)
        paintings = [F.avg_pool2d(painting, 2) for painting in paintings]
        if min(pictures.shape[-2:]) < 2 * PATCH:
            break
    return error


def _patches(picture: Tensor) -> Tensor:
    """Random patches. Shape: ``(3, H, W)`` -> ``(SAMPLES, 3 * PATCH * PATCH)``"""
    windows = picture.unfold(1, PATCH, 1).unfold(2, PATCH, 1)
    down = torch.randint(windows.shape[1], (SAMPLES,))
    across = torch.randint(windows.shape[2], (SAMPLES,))
    return windows[:, down, across].transpose(0, 1).flatten(1)
