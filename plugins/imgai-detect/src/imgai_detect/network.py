"""NanoDet-g: a detector that needs no anchors, of 34 plain convolutions.

NanoDet (RangiLyu 2020, https://github.com/RangiLyu/nanodet, Apache-2.0) is a one-stage detector after FCOS (Tian et
al., "FCOS: Fully Convolutional One-Stage Object Detection", ICCV 2019): each cell of three grids says how much it
belongs to each class and how far the four sides of its box are. A distance is the expectation of a distribution over
whole numbers of strides (Li et al., "Generalized Focal Loss", NeurIPS 2020). The "g" variant has no depthwise
convolutions: its backbone is of cross-stage partial blocks (Wang et al., "CSPNet", CVPR workshops 2020) of 3x3
convolutions, its pyramid a path aggregation network (Liu et al., CVPR 2018) that adds without convolving. Batch
normalisation is folded into the convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)
"""Pixels from one cell to the next, of the three grids."""
BINS = 11
"""A distance is the expectation over 0, 1, ... 10 strides."""
CLASSES = 80
WIDTH = 128
"""Channels of the pyramid and of the heads."""
SLOPE = 0.1
"""Of the leaky rectifier, below zero."""


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size at stride 1 and halves it at stride 2."""
    return nn.Conv2d(inputs, outputs, size, stride, size // 2)


def rectified(x: Tensor) -> Tensor:
    """The rectifier after every convolution but the laterals and the last."""
    return F.leaky_relu(x, SLOPE, inplace=not torch.is_grad_enabled())


class Pair(nn.Module):
    """Two convolutions in a row; what both say, the second first.

    Shape: ``(B, C, H, W)`` -> ``(B, C, H, W)``
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width // 2)
        self.second = convolution(width // 2, width // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = rectified(self.first(x))
        return torch.cat((rectified(self.second(x)), x), dim=1)


class Stage(nn.Module):
    """A cross-stage partial block: the input's convolution, and the same after pairs and one more convolution.

    Shape: ``(B, C, H, W)`` -> ``(B, 2 * C, H / stride, W / stride)``
    """

    def __init__(self, width: int, pairs: int, stride: int) -> None:
        super().__init__()
        self.enter = convolution(width, width, stride=stride)
        self.pairs = nn.Sequential(*(Pair(width) for _ in range(pairs)))
        self.leave = convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = rectified(self.enter(x))
        return torch.cat((rectified(self.leave(self.pairs(x))), x), dim=1)


class Head(nn.Module):
    """What the cells of one grid say: the logits of the classes, then of the bins of left, top, right and bottom.

    Shape: ``(B, WIDTH, h, w)`` -> ``(B, classes + 4 * BINS, h, w)``
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.mix = convolution(WIDTH, WIDTH)
        self.say = convolution(WIDTH, classes + 4 * BINS, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = rectified(self.mix(x))
        with torch.autocast(x.device.type, enabled=False):  # scores and sides in half precision would be coarse
            said: Tensor = self.say(x.float())
        return said


class NanoDet(nn.Module):
    """The network.

    Shape: ``(B, 3, H, W)``, blue first, normalised, H and W multiples of 32 -> three grids, one for each of `STRIDES`:
    ``(B, classes + 44, H / stride, W / stride)``

    classes: how many it tells apart.
    """

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.classes = classes
        self.stem = convolution(3, 32, stride=2)
        self.stages = nn.ModuleList((Stage(32, 1, 1), Stage(64, 2, 2), Stage(128, 2, 2), Stage(256, 3, 2)))
        self.laterals = nn.ModuleList(convolution(inputs, WIDTH, 1) for inputs in (128, 256, 512))
        self.heads = nn.ModuleList(Head(classes) for _ in STRIDES)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = F.max_pool2d(rectified(self.stem(x)), 3, 2, 1)
        pyramid: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            pyramid.append(x)
        levels = [lateral(level) for lateral, level in zip(self.laterals, pyramid[1:], strict=True)]
        for fine in (1, 0):  # from coarse to fine, then back
            levels[fine] = levels[fine] + _resized(levels[fine + 1], levels[fine])
        for coarse in (1, 2):
            levels[coarse] = levels[coarse] + _resized(levels[coarse - 1], levels[coarse])
        return tuple(head(level) for head, level in zip(self.heads, levels, strict=True))


def _resized(level: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(level, size=like.shape[-2:], mode="bilinear", align_corners=False)
