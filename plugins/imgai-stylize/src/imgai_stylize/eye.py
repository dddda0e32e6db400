"""The style encoder, which predicts the parameters of a style from any picture.

The first stages of EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946; Google's Lite variant) look at the style's
picture; means and deviations of their channels go through two small layers to the scales and shifts of the painting
network (Ghiasi et al. 2017, arXiv:1705.06830).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgai_stylize.network import SIZE

STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80))
"""Repeats, kernel, stride of the first block, expansion, channels."""
BOTTLENECK, HIDDEN = 96, 256


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, which is lopsided where the stride is 2."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            extra = self.kernel_size[0] - self.stride[0]
            x = F.pad(x, (extra // 2, extra - extra // 2, extra // 2, extra - extra // 2))
        return super().forward(x)


class InvertedResidual(nn.Module):
    """An inverted residual block (Sandler et al. 2018), with a shortcut if the shape does not change."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = SameConv(channels, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, out, 1)
        self.shortcut = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.shortcut else y


class Eye(nn.Module):
    """Predicts the style parameters of a picture. Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, SIZE)``"""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, 2)
        blocks: list[nn.Module] = []
        channels, seen = 32, 32
        for repeats, kernel, stride, expansion, out in STAGES:
            for index in range(repeats):
                blocks.append(InvertedResidual(channels, out, kernel, stride if index == 0 else 1, expansion))
                channels = out
                seen += out
        self.blocks = nn.ModuleList(blocks)
        self.narrow = nn.Linear(2 * seen + 12, BOTTLENECK)
        self.wide = nn.Linear(BOTTLENECK, HIDDEN)
        self.last = nn.Linear(HIDDEN, SIZE)

    def forward(self, picture: Tensor) -> Tensor:
        flat = picture.flatten(2).float()
        centred = flat - flat.mean(2, keepdim=True)
        colours = centred @ centred.transpose(1, 2) / flat.shape[2]
        parts = [flat.mean(2), colours.flatten(1) * 4]
        x = F.relu6(self.stem(picture * (255 / 128) - 127 / 128))
        parts += _glance(x)
        for block in self.blocks:
            x = block(x)
            parts += _glance(x)
        style: Tensor = self.last(F.relu(self.wide(F.relu(self.narrow(torch.cat(parts, dim=1))))))
        return style

    def initialize(self, classifier: Any) -> None:
        """Take the weights of EfficientNet-Lite0, folded, from a network of imgai-classify; they stay as they are."""
        count = len(self.blocks)
        self.stem.load_state_dict(classifier.stem.state_dict())
        for mine, theirs in zip(self.blocks, list(classifier.blocks)[:count], strict=True):
            mine.load_state_dict(theirs.state_dict())
        for part in (self.stem, self.blocks):
            part.requires_grad_(False)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            self.last.bias.zero_()


def _glance(x: Tensor) -> list[Tensor]:
    """Means and deviations. Shape: ``(B, C, H, W)`` -> two of ``(B, C)``"""
    variance, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0)
    return [mean, (variance + 1e-4).sqrt()]
