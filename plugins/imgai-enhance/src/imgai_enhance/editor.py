"""The network that predicts a look from a small view of the whole picture.

Its eye is the first five stages of EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, in Google's Lite variant
without squeeze-and-excitation), their batch normalisation folded into the convolutions. What it sees is summed up over
the picture, together with how brightness and colours are distributed, and two small layers say the numbers of the look.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgai_enhance.illuminant import Illuminant
from imgai_enhance.look import BINS, CELLS, PLACES, luma, uncast

SIDE = 160
"""The input size: SIDE x SIDE pixels, for any aspect ratio."""
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))
"""Repeats, kernel, stride of the first block, expansion, channels."""
SEEN = (2, 3, 4)
"""The stages whose means and deviations over the picture count."""
RANKS = 16
"""Quantiles of each distribution."""
HIDDEN = 160
DROPPED = 0.15
"""Of what is seen and of what is made of it, in training: the pictures are few, and would be learned by heart."""
NORMAL = 0.42
"""The mean brightness to which dark pictures are brought before they are looked at."""


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


class Editor(nn.Module):
    """Predicts the look of a small view of the whole picture.

    Shape: ``(B, 3, SIDE, SIDE)`` in [0, 1] -> ``(B, SIZE)``

    dark: pictures may be next to black: they are brought to a usual brightness before they are looked at. They have no
        `illuminant`, the network that finds a cast; other pictures are looked at without theirs.
    """

    def __init__(self, *, dark: bool = False) -> None:
        super().__init__()
        self.dark = dark
        self.illuminant = None if dark else Illuminant()
        self.stem = SameConv(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        channels = 32
        for repeats, kernel, stride, expansion, out in STAGES:
            blocks = [
                InvertedResidual(channels if index == 0 else out, out, kernel, stride if index == 0 else 1, expansion)
                for index in range(repeats)
            ]
            self.stages.append(nn.Sequential(*blocks))
            channels = out
        features = 2 * sum(STAGES[index][-1] for index in SEEN) + 7 * RANKS
        self.first = nn.Linear(features, HIDDEN)
        self.second = nn.Linear(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN, PLACES["cast"].start)
        self.local = nn.Conv2d(channels + 3, BINS, 3, padding=1)
        self.drop = nn.Dropout(DROPPED)

    def forward(self, image: Tensor) -> Tensor:
        cast = image.new_zeros(len(image), 3)
        if self.illuminant is not None:
            cast = self.illuminant(image)
            image = uncast(image, cast)
        seen = image
        if self.dark:
            mean = luma(image).mean((1, 2, 3), keepdim=True).clamp(1e-3, NORMAL)
            seen = image.clamp(min=1e-4) ** (torch.log(torch.full_like(mean, NORMAL)) / mean.log())
        x = F.relu6(self.stem((seen * 255 - 127) / 128))
        found = [distributions(image)]
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in SEEN:
                found += [x.mean((2, 3)), x.var((2, 3), unbiased=False).add(1e-4).sqrt()]
        y = F.relu(self.first(self.drop(torch.cat(found, dim=1))))
        look: Tensor = torch.cat((self.last(F.relu(self.second(self.drop(y)))), cast), dim=1)
        # What haze there is differs from place to place.
        small = F.adaptive_avg_pool2d(
            torch.cat((x, F.adaptive_avg_pool2d(seen, (x.shape[-2], x.shape[-1]))), dim=1), CELLS
        )
        haze = torch.zeros_like(look)
        haze[:, PLACES["haze"]] = self.local(small).flatten(1)
        return look + haze


def distributions(image: Tensor) -> Tensor:
    """How red, green, blue, brightness, darkest and brightest channel and saturation are distributed.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> ``(B, 7 * RANKS)``, quantiles around 0, far apart also where it is dark
    """
    small = F.avg_pool2d(image, 4)
    low, high = small.amin(1, keepdim=True), small.amax(1, keepdim=True)
    values = torch.cat((small, luma(small), low, high, (high - low) / (high + 0.02)), dim=1).flatten(2)
    places = torch.linspace(0.005, 0.995, RANKS, device=image.device) * (values.shape[2] - 1)
    ranks = values.sort(dim=2).values[:, :, places.round().long()]
    return (ranks.clamp(min=0) + 1e-3).pow(0.4).flatten(1) * 4 - 2.5
