"""A small convolutional network to be trained on one's own pictures: ``imgai train classify FOLDER --from cnn``.

Stages of two residual 3x3 convolutions (He et al., CVPR 2016), each at half the size of the one before, the mean over
all places, one linear layer. Batch normalisation is folded into the convolutions when the network is saved.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imgai.plugin import LoadContext, Predictor, Trainable, TrainContext, take_over

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 32
"""Channels of the first stage."""
STAGES = (1, 2, 4, 8)
"""How many times as many each stage has."""


class Unit(nn.Sequential):
    """A 3x3 convolution with batch normalization during training."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, norm: bool = False) -> None:
        convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norm)
        super().__init__(convolution, *([nn.BatchNorm2d(outputs)] if norm else []))

    def fold(self) -> None:
        """Fold the normalization into the convolution, which is exact in evaluation mode."""
        if len(self) == 2:
            convolution, normalisation = self
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(normalisation, nn.BatchNorm2d)
            self[0] = fuse_conv_bn_eval(convolution, normalisation)
            del self[1]


class Stage(nn.Module):
    """Halve the size, then two convolutions around a shortcut. Shape: ``(B, C, h, w)`` to ``(B, C', h / 2, w / 2)``."""

    def __init__(self, inputs: int, outputs: int, *, norm: bool) -> None:
        super().__init__()
        self.down = Unit(inputs, outputs, stride=2, norm=norm)
        self.first = Unit(outputs, outputs, norm=norm)
        self.second = Unit(outputs, outputs, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.down(x))
        return F.relu(x + self.second(F.relu(self.first(x))))


class SmallNet(nn.Module):
    """Shape: ``(B, 3, h, w)`` in [-1, 1] to logits ``(B, K)``. width: channels of the first stage."""

    def __init__(self, width: int, classes: int, *, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [width * times for times in STAGES]
        self.stem = Unit(3, width, stride=2, norm=norm)
        self.stages = nn.ModuleList(Stage(a, b, norm=norm) for a, b in zip([width, *widths], widths, strict=False))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(widths[-1], classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the features before global average pooling. Shape: ``(B, 3, h, w)`` to ``(B, C, h / 32, w / 32)``."""
        x = F.relu(self.stem(x))
        for stage in self.stages:
            x = stage(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(self.features(x).mean((2, 3))))
        return logits

    def cam(self, x: Tensor, label: int) -> Tensor:
        """Return a class activation map (Zhou et al., CVPR 2016). Shape: ``(B, 3, h, w)`` to ``(B, y, x)``."""
        return torch.einsum("bchw,c->bhw", self.features(x), self.classifier.weight[label]).clamp_min(0)


def centred(image: Tensor) -> Tensor:
    """Shape: ``(B, 3, h, w)`` in [0, 1] to the same in [-1, 1]."""
    return image * 2 - 1


def predictor(network: SmallNet) -> Predictor:
    """Make the predictor of a network."""
    return Predictor(
        network=network, preprocess=centred, postprocess=lambda logits: logits.softmax(1), explain=network.cam
    )


def of_tensors(tensors: Mapping[str, Tensor], classes: int) -> SmallNet:
    """Build a network of the size of saved tensors, without loading them."""
    return SmallNet(tensors["stem.0.weight"].shape[0], classes)


def folded(network: Any) -> dict[str, Tensor]:
    """Return the tensors of a network with every normalization folded into its convolution."""
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
    network.to(context.device).requires_grad_(False).eval()
    return predictor(network)


def train(context: TrainContext) -> Trainable:
    """Return a new network, or a trained one to continue from."""
    classes = len(context.model.labels or ())
    if context.weights is None:
        params = context.params
        network = SmallNet(params.width or WIDTH, classes, norm=True, dropout=params.dropout)
    else:
        tensors = load_file(context.weights)
        network = of_tensors(tensors, classes)
        take_over(network, tensors)
    return Trainable(
        predictor=predictor(network.to(context.device)),
        loss="ce",
        save=folded,
        is_head=lambda name: name.startswith("classifier."),
        rate=2e-3 if context.weights is None else 5e-4,
    )
