"""EfficientNet-Lite with folded batch normalization, in two sizes.

The architecture is EfficientNet (Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019, arXiv:1905.11946) in its Lite variant (Google, 2020): no squeeze-and-excitation, ReLU6 in place of
swish, and a stem, a first and a last stage that stay as they are when the rest is scaled. Its blocks are inverted
residuals (Sandler et al., "MobileNetV2", CVPR 2018). Every batch normalisation is folded into the convolution before
it, which is exact for a network in evaluation mode.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from kornia.enhance import Normalize
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import LoadContext, Predictor, Trainable, TrainContext, take_over

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
SIZES: dict[str, tuple[float, float]] = {"imagenet": (1.0, 1.0), "imagenet-accurate": (1.1, 1.2)}
"""How much wider and how much deeper each model is than Lite0: Lite0 and Lite2."""
MEAN, DEVIATION = 127 / 255, 128 / 255
"""The pixels' mean and standard deviation that the networks were trained with, the same for every colour."""


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
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.shortcut else y


class EfficientNetLite(nn.Module):
    """Shape: ``(B, 3, H, W)`` normalised images to ``(B, K)`` logits.

    width, depth: how much wider and deeper than Lite0. classes: K. dropout: the part of the features that is left out
    at random while it is trained.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0, classes: int = CLASSES, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2)
        blocks: list[nn.Module] = []
        channels = STEM
        for repeats, (_, kernel, stride, expansion, plain) in zip(_repeats(depth), STAGES, strict=True):
            out = _round(plain * width)
            for index in range(repeats):
                blocks.append(InvertedResidual(channels, out, kernel, stride if index == 0 else 1, expansion))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.head = SameConv(channels, HEAD, 1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(HEAD, classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the features before global pooling. Shape: ``(B, 3, H, W)`` to ``(B, 1280, H / 32, W / 32)``."""
        return F.relu6(self.head(self.blocks(F.relu6(self.stem(x)))))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(self.features(x).mean((2, 3))))
        return logits

    def cam(self, x: Tensor, label: int) -> Tensor:
        """Return a class activation map, clamped to 0. Shape: ``(B, 3, H, W)`` to ``(B, H / 32, W / 32)``.

        Grad-CAM (Selvaraju et al., ICCV 2017, arXiv:1610.02391) of the head's features: as a mean and one linear
        layer follow them, the gradients are the layer's weights, and it is the class activation map of Zhou et al.
        (CVPR 2016, arXiv:1512.04150).
        """
        return torch.einsum("bchw,c->bhw", self.features(x), self.classifier.weight[label]).clamp_min(0)


def _repeats(depth: float) -> list[int]:
    """Return the number of blocks of each stage. The first and the last stage are not scaled."""
    inside = [math.ceil(repeats * depth) for repeats, *_ in STAGES[1:-1]]
    return [STAGES[0][0], *inside, STAGES[-1][0]]


def _round(channels: float) -> int:
    """Round to a multiple of 8, without going down by more than 10 %."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def tensors_of(file: Path) -> dict[str, Tensor]:
    """The tensors of a file, in float32.

    Those that are shipped are kept as whole numbers of 24 bits, in two parts, with a step for each output channel.
    Those of 16 bits, and half precision, changed logits by several thousandths.
    """
    state = load_file(file)
    for key in [key.removesuffix(".step") for key in state if key.endswith(".step")]:
        high, low, step = (state.pop(part) for part in (key, f"{key}.low", f"{key}.step"))
        levels = high.to(torch.int32) * 256 + low.to(torch.int32)  # 24 bits: float32 holds them exactly
        state[key] = levels.to(torch.float32) * step.view(-1, *[1] * (high.ndim - 1))
    return state


def of_tensors(state: Mapping[str, Tensor], classes: int, dropout: float = 0.0) -> EfficientNetLite:
    """Build a network of the size of the tensors, without loading them."""
    blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    for width, depth in SIZES.values():
        if sum(_repeats(depth)) == len(blocks):
            return EfficientNetLite(width, depth, classes, dropout)
    raise RuntimeError(f"an EfficientNet-Lite of {len(blocks)} blocks is none of {', '.join(SIZES)}")


def load_weights(file: Path) -> EfficientNetLite:
    """The network of a file. Raises RuntimeError if the weights are those of another network."""
    state = tensors_of(file)
    head = state.get("classifier.bias")
    network = of_tensors(state, CLASSES if head is None else len(head))
    network.load_state_dict(state)
    return network.eval()


def load(context: LoadContext) -> Predictor:
    """Load either model, or what was trained from it.

    Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, K)`` probabilities, which sum to 1

    Raises:
        ValueError: the context names no weights.
        RuntimeError: the weights are those of another network.
    """
    if context.weights is None:
        raise ValueError(f"the model {context.model.name} needs its weights")
    return predictor(load_weights(context.weights).to(context.device), context.device)


def predictor(network: EfficientNetLite, device: torch.device) -> Predictor:
    """Make the predictor of a network."""
    normalize = Normalize(mean=torch.full((3,), MEAN), std=torch.full((3,), DEVIATION)).to(device)
    return Predictor(
        preprocess=normalize, network=network, postprocess=lambda logits: logits.softmax(1), explain=network.cam
    )


def train(context: TrainContext) -> Trainable:
    """The network with a classifier for other labels."""
    if context.weights is None:
        raise ValueError(f"the model {context.model.name} needs its weights")
    state = tensors_of(context.weights)
    network = of_tensors(state, len(context.model.labels or ()), context.params.dropout)
    take_over(network, state)
    return Trainable(
        predictor=predictor(network.to(context.device), context.device),
        loss="ce",
        is_head=lambda name: name.startswith("classifier."),
        rate=1e-3,
    )
