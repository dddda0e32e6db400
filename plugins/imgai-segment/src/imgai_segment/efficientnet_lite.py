"""EfficientNet-Lite0 with folded batch normalization, as a feature pyramid.

The architecture is EfficientNet-B0 (Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019) in its Lite variant (Google, 2020): no squeeze-and-excitation, ReLU6 in place of swish, and a
stem and head of fixed width. Its blocks are inverted residuals (Sandler et al., "MobileNetV2", CVPR 2018). Every
batch normalisation is folded into the convolution before it, which is exact for a network in evaluation mode.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STAGES: tuple[tuple[int, int, int, int, int], ...] = (
    # repeats, kernel, stride of the first block, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, which is lopsided where the stride is 2.

    Shape: ``(B, C, H, W)`` to ``(B, C', H / stride, W / stride)``, both rounded up.
    """

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride > 1:
            # As plain numbers: a graph that is traced pads by constants, which a runtime takes into the convolution.
            height, width = (max(kernel - (int(side) - 1) % stride - 1, 0) for side in x.shape[-2:])
            x = F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(x)


class InvertedResidual(nn.Module):
    """An inverted residual block (MobileNetV2), with a shortcut if the shape does not change."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = SameConv(channels, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, out, 1)
        self.shortcut = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    """The convolutional part of EfficientNet-Lite0, its head convolution included.

    Shape: ``(B, 3, H, W)`` normalised images to six tensors: 16 channels at 1/2 of the size, 24 at 1/4, 40 at 1/8,
    112 at 1/16, 320 at 1/32, and the 1280 of the head at 1/32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2)
        self.stages = nn.ModuleList()
        channels = STEM
        for repeats, kernel, stride, expansion, out in STAGES:
            blocks: list[nn.Module] = []
            for index in range(repeats):
                blocks.append(InvertedResidual(channels, out, kernel, stride if index == 0 else 1, expansion))
                channels = out
            self.stages.append(nn.Sequential(*blocks))
        self.head = SameConv(channels, HEAD, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.stem(x), inplace=True)
        pyramid = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in (0, 1, 2, 4, 6):
                pyramid.append(x)
        return [*pyramid, F.relu6(self.head(x), inplace=True)]


def classify(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ImageNet's 1000 logits, ``(B, 1000)``, of the head's features ``(B, 1280, h, w)``."""
    return torch.addmm(bias, features.mean((2, 3)), weight.T)
