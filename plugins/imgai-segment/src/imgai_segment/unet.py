"""A U-Net to be trained on one's own pictures: ``imgai train segment FOLDER --from unet``.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation" (MICCAI 2015), with batch
normalisation, which is folded into the convolutions when the network is saved, and residual blocks (He et al., CVPR
2016). Its first stage works at the picture's own resolution, so that lines of a pixel or two are not lost.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imgai.plugin import LoadContext, Predictor, Trainable, TrainContext, take_over
from imgai_segment.nuclei import LogContrast

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 16
"""Channels of the first stage; each further stage has twice as many, `WIDEST` times as many at most."""
WIDEST = 8
LEVELS = 4
"""The most halvings: what the declaration's ``multiple_of`` allows."""
INPUTS = 6
"""A picture's channels and their logarithms: many pictures of science use a tenth of the range."""
_COARSEST = 16  # pixels along a side of what the deepest stage sees of a crop


class Unit(nn.Sequential):
    """A 3x3 convolution with batch normalization during training."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, norm: bool = False) -> None:
        convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norm)
        super().__init__(convolution, *([nn.BatchNorm2d(outputs)] if norm else []))

    def fold(self) -> None:
        """Fold the normalisation into the convolution, which is exact for a network in evaluation mode."""
        if len(self) == 2:
            convolution, normalisation = self
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(normalisation, nn.BatchNorm2d)
            self[0] = fuse_conv_bn_eval(convolution, normalisation)
            del self[1]


class Block(nn.Module):
    """Two convolutions around a shortcut. Shape: ``(B, C, h, w)`` to ``(B, C', h, w)``."""

    def __init__(self, inputs: int, outputs: int, *, norm: bool) -> None:
        super().__init__()
        self.first = Unit(inputs, outputs, norm=norm)
        self.second = Unit(outputs, outputs, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        return F.relu(x + self.second(x))


class UNet(nn.Module):
    """Shape: ``(B, C, h, w)`` to logits ``(B, K, h, w)``; h and w are multiples of 2 to the power of the halvings.

    widths: channels of each stage. inputs: C; 6, a picture beside its logarithm, or 3, as it was at first.
    norm: with batch normalisation, as it is trained.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        classes: int,
        *,
        inputs: int = INPUTS,
        norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.enter = Block(inputs, widths[0], norm=norm)
        self.down = nn.ModuleList(Unit(a, b, stride=2, norm=norm) for a, b in pairs)
        self.encode = nn.ModuleList(Block(b, b, norm=norm) for _, b in pairs)
        self.dropout = nn.Dropout2d(dropout)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in reversed(pairs))
        self.decode = nn.ModuleList(Block(2 * a, a, norm=norm) for a, _ in reversed(pairs))
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        skips: list[Tensor] = []
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(x)
            x = encode(F.relu(down(x)))
        x = self.dropout(x)
        for up, decode in zip(self.up, self.decode, strict=True):
            # The 1x1 convolution and the enlargement commute; this order does it on a quarter of the pixels.
            wide = F.interpolate(up(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = decode(torch.cat((wide, skips.pop()), 1))
        logits: Tensor = self.head(x)
        return logits


def widths_for(size: int, width: int) -> tuple[int, ...]:
    """The channels of each stage of a network that sees crops of that side. A halving more for twice the side."""
    levels = max(1, min(LEVELS, (size // _COARSEST).bit_length() - 1))
    return tuple(width * min(WIDEST, 2**level) for level in range(levels + 1))


def of_tensors(tensors: Mapping[str, Tensor], classes: int) -> UNet:
    """Build a network of the size of saved tensors, without loading them."""
    first, inputs = tensors["enter.first.0.weight"].shape[:2]
    names = [f"down.{level}.0.weight" for level in range(LEVELS)]
    deeper = [tensors[name].shape[0] for name in names if name in tensors]
    return UNet((first, *deeper), classes, inputs=inputs)


def predictor(network: UNet) -> Predictor:
    """Make the predictor of a network."""
    contrast = LogContrast() if network.enter.first[0].in_channels == INPUTS else centred
    return Predictor(network=network, preprocess=contrast, postprocess=torch.sigmoid)


def centred(image: Tensor) -> Tensor:
    """Shape: ``(B, 3, h, w)`` in [0, 1] to the same in [-1, 1]."""
    return image * 2 - 1


def folded(network: Any) -> dict[str, Tensor]:
    """The tensors of a network with every normalisation folded into its convolution."""
    network = copy.deepcopy(network).eval()
    for part in network.modules():
        if isinstance(part, Unit):
            part.fold()
    return dict(network.state_dict())


def load(context: LoadContext) -> Predictor:
    """Load a model trained from this one."""
    if context.weights is None:
        raise ValueError("this model has learned nothing yet")
    tensors = load_file(context.weights)
    network = of_tensors(tensors, len(context.model.labels or ()))
    network.load_state_dict(tensors)
    return predictor(network.to(context.device).requires_grad_(False).eval())


def train(context: TrainContext) -> Trainable:
    """Return a new network, or a trained one to continue from."""
    classes = len(context.model.labels or ())
    if context.weights is None:
        params = context.params
        widths = widths_for(params.size, params.width or WIDTH)
        network = UNet(widths, classes, norm=True, dropout=params.dropout)
        if network.head.bias is not None:  # what is looked for is the smaller part of most pictures
            nn.init.constant_(network.head.bias, -2.0)
    else:
        tensors = load_file(context.weights)
        network = of_tensors(tensors, classes)
        take_over(network, tensors)
    return Trainable(
        predictor=predictor(network.to(context.device)),
        loss="dice+bce",
        save=folded,
        is_head=lambda name: name.startswith("head."),
        rate=2e-3 if context.weights is None else 5e-4,
    )
