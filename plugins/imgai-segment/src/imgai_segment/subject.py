"""The `subject` model: the main subject of a photograph as one mask.

The encoder is EfficientNet-Lite0. The decoder is a feature pyramid (Lin et al., "Feature Pyramid Networks for Object
Detection", CVPR 2017) of depthwise-separable blocks (Chollet, "Xception", CVPR 2017), as in the light decoders for
salient objects. At the coarsest level it sees three more things: the classifier's features, their average over the
whole image (Liu et al., "ParseNet: Looking Wider to See Better", 2015), and the map of where in the image the
evidence for ImageNet's classes lies (Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR
2016): it finds kinds of objects that no mask in training ever showed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Predictor
from imgai_segment.efficientnet_lite import CLASSES, HEAD, EfficientNetLite0, classify

if TYPE_CHECKING:
    from imgai.plugin import LoadContext

SIZE = 448
"""The side, in pixels, of the square that the network takes."""

MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3  # of each channel: all the same
LESS = 5 / 7
"""The side of the second look, as a share of the first one's."""
STEEP = 2.0
"""How much a logit falls for each unit of a score of presence below 0."""
WIDTHS = (32, 48, 64, 96, 128)
"""The decoder's channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size."""


def conv(channels: int, out: int, kernel: int = 1, groups: int = 1, *, norm: bool = False) -> nn.Sequential:
    """A convolution that keeps the size, with batch normalization during training."""
    layers: list[nn.Module] = [nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups, bias=not norm)]
    return nn.Sequential(*layers, nn.BatchNorm2d(out)) if norm else nn.Sequential(*layers)


class Separable(nn.Module):
    """A residual depthwise-separable block: filter each channel, then mix. Shape: the same in and out."""

    def __init__(self, channels: int, kernel: int, *, norm: bool) -> None:
        super().__init__()
        self.depthwise = conv(channels, channels, kernel, channels, norm=norm)
        self.pointwise = conv(channels, channels, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.pointwise(F.relu(self.depthwise(x), inplace=True)), inplace=True)


class Activation(nn.Module):
    """Where the evidence for the classes that the image as a whole suggests lies (class activation mapping).

    Shape: the head's features ``(B, 1280, h, w)`` to ``(B, 1, h, w)``, of mean 0 and deviation 1 over each image.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self) -> None:
        super().__init__()
        # ImageNet's classifier, which is not trained: buffers.
        self.register_buffer("weight", torch.zeros(CLASSES, HEAD))
        self.register_buffer("bias", torch.zeros(CLASSES))

    def forward(self, features: Tensor) -> Tensor:
        scores = classify(features, self.weight, self.bias).softmax(1)
        evidence = torch.einsum("bc,bchw->bhw", scores @ (self.weight - self.weight.mean(0)), features)
        evidence = evidence - evidence.mean((1, 2), keepdim=True)
        return (evidence / (evidence.square().mean((1, 2), keepdim=True) + 1e-4).sqrt()).unsqueeze(1)


class Presence(nn.Module):
    """Lower the logits of an image that shows no subject.

    A linear classifier of the whole image: the average of the head's features, which tell a landscape or a texture,
    and four figures of the mask itself, so that a sure mask counts whatever the features say.

    Shape: ``(B, 1280)`` and logits ``(B, K, h, w)`` to logits. Where the score is at least 0 they are unchanged.
    """

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(HEAD + 4, 1)

    @staticmethod
    def figures(average: Tensor, logits: Tensor) -> Tensor:
        """The head's average, and the mask's mean, area, certainty inside and undecided share. Shape: ``(B, 1284)``"""
        likely = logits.float().sigmoid().amax(1).flatten(1)
        inside = (likely > 0.5).float()
        unsure = ((likely > 0.1) & (likely < 0.9)).float()
        area = inside.mean(1)
        within = (likely * inside).mean(1) / area.clamp_min(1e-6)
        return torch.cat((average.float(), torch.stack((likely.mean(1), area, within, unsure.mean(1)), 1)), 1)

    def forward(self, average: Tensor, logits: Tensor) -> Tensor:
        with torch.autocast(logits.device.type, enabled=False):  # the sum of 1284 products needs its digits
            figures = self.figures(average, logits)
            score = F.linear(figures, self.score.weight.float(), self.score.bias.float())
        return logits + (STEEP * score.clamp_max(0)).to(logits.dtype)[:, :, None, None]


class Subject(nn.Module):
    """Lite0 with a pyramid on top.

    classes: how many it tells apart.
    norm: keep the decoder's batch normalisations apart, to train it; the shipped weights have them folded.

    Shape: normalised images ``(B, 3, H, W)``, sides a multiple of 32, to logits ``(B, classes, H / 2, W / 2)``.
    """

    def __init__(self, classes: int = 1, *, norm: bool = False) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0()
        self.activation = Activation()
        self.context = conv(320 + HEAD + 1, WIDTHS[4], norm=norm)
        self.whole = nn.Linear(HEAD, WIDTHS[4])
        self.laterals = nn.ModuleList(
            conv(channels, width, norm=norm) for channels, width in zip((16, 24, 40, 112), WIDTHS[:4], strict=True)
        )
        self.lower = nn.ModuleList(
            conv(wide, width, norm=norm) for wide, width in zip(WIDTHS[1:], WIDTHS[:4], strict=True)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Separable(width, kernel, norm=norm) for _ in range(repeats)))
            for width, kernel, repeats in zip(WIDTHS, (3, 3, 5, 5, 5), (1, 1, 2, 2, 2), strict=True)
        )
        self.out = nn.Conv2d(WIDTHS[0], classes, 3, padding=1)

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Return the decoder's features from 1/2 (32 channels) to 1/32 of the size (128)."""
        skips, x, _ = self.coarsest(images)
        return self.finer(skips, x)

    def coarsest(self, images: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """The encoder's features from 1/2 to 1/16 of the size, the decoder's at 1/32, and the head's average.

        Shape: ``(B, 3, H, W)`` to a list, ``(B, 128, h, w)`` and ``(B, 1280)``
        """
        *skips, deep, head = self.encoder(images)
        average = head.mean((2, 3))
        x = self.context(torch.cat((deep, head, self.activation(head)), 1))
        return skips, self.blocks[4](F.relu(x + self.whole(average)[:, :, None, None])), average

    def finer(self, skips: list[Tensor], x: Tensor) -> list[Tensor]:
        """The decoder's features of all levels, from what `coarsest` returns."""
        levels = [x]
        for index in (3, 2, 1, 0):
            skip = self.laterals[index](skips[index])
            x = F.interpolate(self.lower[index](x), size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = self.blocks[index](F.relu(x + skip, inplace=True))
            levels.insert(0, x)
        return levels

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(B, classes, H / 2, W / 2)``, and the head's average ``(B, 1280)``."""
        skips, x, average = self.coarsest(images)
        return self.out(self.finer(skips, x)[0]), average

    def forward(self, images: Tensor) -> Tensor:
        return self.look(images)[0]


class TwoLooks(Subject):
    """What ships: looks twice, and lowers the logits of images that show no subject.

    The second look is at a smaller, mirrored copy. A large subject, or one of several parts, is found more surely when
    it is small, and the first look draws the edge. The mean of the answers to several views of an image is better than
    one (Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012).

    Shape: normalised images ``(B, 3, H, W)``, sides a multiple of 32, to logits ``(B, 1, H / 2, W / 2)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.presence = Presence()

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits, average = super().look(images)
        small = F.interpolate(images, scale_factor=LESS, mode="bilinear", align_corners=False)
        again, other = super().look(small.flip(-1))
        again = F.interpolate(again, size=logits.shape[-2:], mode="bilinear", align_corners=False).flip(-1)
        return (logits + again) / 2, (average + other) / 2

    def forward(self, images: Tensor) -> Tensor:
        logits, average = self.look(images)
        present: Tensor = self.presence(average, logits)
        return present


class Mask(nn.Module):
    """Logits ``(B, K, h, w)`` to masks ``(B, K, 2 h, 2 w)`` in [0, 1]."""

    def forward(self, logits: Tensor) -> Tensor:
        return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False).sigmoid()


def explain(network: Subject, images: Tensor, label: int) -> Tensor:
    """Seg-Grad-CAM (Vinogradova et al., AAAI 2020, arXiv:2002.11434): where the features speak for what is inside.

    Shape: ``(B, 3, h, w)`` to ``(B, h / 32, w / 32)``
    """
    with torch.inference_mode(False), torch.enable_grad():
        skips, features, _ = network.coarsest(images.clone())
        features = features.detach().requires_grad_()
        logits = network.out(network.finer([skip.detach() for skip in skips], features)[0])[:, label]
        inside = (logits.detach() > 0).float()
        (slope,) = torch.autograd.grad((logits * inside).sum(), features)
    return (features.detach() * slope.mean((2, 3), keepdim=True)).sum(1).clamp_min(0)


def load(context: LoadContext) -> Predictor:
    """Load the model to ``context.device``.

    Raises:
        ValueError: the context names no weights.
        RuntimeError: the weights are those of another network.
    """
    if context.weights is None:
        raise ValueError("the subject model needs its weights")
    weights = load_file(context.weights, device=str(context.device))
    with torch.device("meta"):  # a network that somebody trained on has no score of presence, and looks once
        complete = "presence.score.weight" in weights
        network = TwoLooks() if complete else Subject(len(context.model.labels or ("",)))
    network.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    return predictor(network.requires_grad_(False), context.device)


def normalized(images: Tensor) -> Tensor:
    """Normalize the input. Without kornia, whose import takes a tenth of the time of a run on one picture.

    Shape: ``(B, 3, H, W)`` in [0, 1], kept.
    """
    return (images - MEAN[0]) / STD[0]


def predictor(network: Subject, device: torch.device) -> Predictor:
    """Make the predictor of a network."""
    network.to(device).eval()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Predictor(network, normalized, Mask(), explain=partial(explain, network))
