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
from typing import TYPE_CHECKING, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Predictor
from imgai_segment.efficientnet_lite import CLASSES, HEAD, EfficientNetLite0, classify

if TYPE_CHECKING:
    from imgai.plugin import LoadContext

SIZE = 896
"""The side, in pixels, of the square that the shipped network takes."""
LOOK = 448
"""The side of what it sees of the whole image at first, and of what it was trained on."""

MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3  # of each channel: all the same
AGAIN = 320
"""The side of the second look."""
CLOSER = 384
"""The side of the third look, at the part of the image where the subject is."""
AROUND = 0.2
"""What of the subject's width and height the third look sees at each side of it, and as much again as BESIDE."""
BESIDE = 0.03
"""A share of the image."""
FADE = 0.8
"""Along how much of what it sees around the subject the third look begins to count, where the image goes on."""
MOST = (0.6, 0.75)
"""From which share of the image on this part counts less, and from which on not at all: it was seen well enough."""
LEAST = (0.0005, 0.002)
"""The same of the mask, the other way round: a speck is no subject."""
DOUBT = 0.1
"""How sure a mask must be to count for where the subject is."""
STRAY = 0.005
"""The share of the mask that may lie above, below, left or right of what counts as the subject's place."""
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


class Looks(Subject):
    """What ships: looks twice, once more at where the subject is, and lowers the logits of images that show none.

    The second look is at a smaller, mirrored copy. A large subject, or one of several parts, is found more surely when
    it is small, and the first look draws the edge. The mean of the answers to several views of an image is better than
    one (Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012). A subject
    that is small in the image is seen larger in the third, whose answer is averaged with theirs.

    Shape: normalised images ``(B, 3, 896, 896)`` to logits ``(B, 1, 448, 448)``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.presence = Presence()

    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        images = resized(images, LOOK)
        logits, average = super().look(images)
        again, other = super().look(resized(images, AGAIN).flip(-1))
        return (logits + resized(again, logits.shape[-1]).flip(-1)) / 2, (average + other) / 2

    def closer(self, images: Tensor, logits: Tensor, lowered: Tensor) -> Tensor:
        """Look once more at where the subject is. lowered: by how much the image as a whole lowers its logits.

        Shape: ``(B, 3, H, W)``, lowered logits ``(B, 1, h, w)``, ``(B, 1, 1, 1)`` to logits ``(B, 1, h, w)``
        """
        found = place(logits)
        if not (torch.jit.is_tracing() or torch.compiler.is_compiling()):  # type: ignore[attr-defined, no-untyped-call]
            # A graph has no branches, and looks in vain.
            chosen = found.counts.nonzero()[:, 0]
            if len(chosen) < len(logits):
                closer = logits.clone()
                if len(chosen):
                    closer[chosen] = self.closer(images[chosen], logits[chosen], lowered[chosen])
                return closer
        part = seen(images, found.box, CLOSER).contiguous(memory_format=torch.channels_last)
        again = super().look(part)[0].to(logits.dtype) + lowered
        back, share = returned(again, found, logits.shape[-1])
        weight = 0.5 * share * found.counts[:, None, None, None]
        return logits + weight.to(logits.dtype) * (back - logits)

    def forward(self, images: Tensor) -> Tensor:
        logits, average = self.look(images)
        present: Tensor = self.presence(average, logits)
        return self.closer(images, resized(present, LOOK), (present - logits)[..., :1, :1])


class Place(NamedTuple):
    """Where the subject of each image is, with some of what is around it.

    box: x0, y0, x1, y1 as shares of the sides, ``(B, 4)``. fade: along how much of the width and the height its sides
    fade, the same, ``(B, 2)``. counts: how much a look at it counts, 0 to 1, ``(B,)``.
    """

    box: Tensor
    fade: Tensor
    counts: Tensor


def resized(images: Tensor, side: int) -> Tensor:
    """Bring squares to another side; at half of it each pixel is the mean of four. Shape: ``(B, C, H, H)``"""
    return F.interpolate(images, size=(side, side), mode="bilinear", align_corners=False)


def place(logits: Tensor) -> Place:
    """Where the subject is. Shape: ``(B, 1, h, w)``"""
    likely = logits.float()[:, 0].sigmoid()
    sure = (likely - DOUBT).clamp_min(0)
    starts, ends, fades = [], [], []
    for line in (sure.sum(1), sure.sum(2)):
        along, whole, side = line.cumsum(1), line.sum(1, keepdim=True), line.shape[1]
        start = (along <= STRAY * whole).float().sum(1) / side
        end = ((along < (1 - STRAY) * whole).float().sum(1) + 1) / side
        margin = AROUND * (end - start) + BESIDE
        starts.append((start - margin).clamp(0, 1))
        ends.append((end + margin).clamp(0, 1))
        fades.append(FADE * margin)
    area = (ends[0] - starts[0]) * (ends[1] - starts[1])
    mask = (likely > 0.5).float().mean((1, 2))
    counts = _between(area, *MOST[::-1]) * _between(mask, *LEAST)
    some = (counts > 0).float()
    # Of the others any place will do: it is not looked at.
    box = torch.stack([at * some for at in starts] + [at * some + 1 - some for at in ends], 1)
    return Place(box, torch.stack(fades, 1), counts)


def _between(x: Tensor, nothing: float, all_: float) -> Tensor:
    """0 at one value and 1 at the other. Shape: kept"""
    return ((x - nothing) / (all_ - nothing)).clamp(0, 1)


def _sampled(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Pixels at places that are shares of the sides.

    Shape: ``(B, C, H, W)``, ``(B, w)``, ``(B, h)`` to ``(B, C, h, w)``
    """
    grid = 2 * torch.stack(torch.broadcast_tensors(x[:, None], y[:, :, None]), -1) - 1
    with torch.autocast(images.device.type, enabled=False):
        return F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False).to(images.dtype)


def _middles(side: int, like: Tensor) -> Tensor:
    """The middles of so many pixels, as shares of the side. Shape: ``(1, side)``"""
    return ((torch.arange(side, device=like.device, dtype=torch.float32) + 0.5) / side)[None]


def seen(images: Tensor, box: Tensor, side: int) -> Tensor:
    """A part of each image, stretched to a square. Shape: ``(B, C, H, W)``, ``(B, 4)`` to ``(B, C, side, side)``"""
    x0, y0, x1, y1 = box[:, :, None].unbind(1)
    at = _middles(side, images)
    return _sampled(images, x0 + at * (x1 - x0), y0 + at * (y1 - y0))


def returned(parts: Tensor, found: Place, side: int) -> tuple[Tensor, Tensor]:
    """Squares put back where they were taken from, and how much they count: 1 inside, 0 outside.

    Shape: ``(B, C, h, w)`` to ``(B, C, side, side)`` and ``(B, 1, side, side)``
    """
    x0, y0, x1, y1 = found.box[:, :, None].unbind(1)
    across, down = found.fade[:, :, None].unbind(1)
    at = _middles(side, parts)
    back = _sampled(parts, (at - x0) / (x1 - x0), (at - y0) / (y1 - y0))
    return back, (_within(at, y0, y1, down)[:, :, None] * _within(at, x0, x1, across)[:, None])[:, None]


def _within(at: Tensor, start: Tensor, end: Tensor, fade: Tensor) -> Tensor:
    """From 0 at both ends to 1 along the fade, smoothly; 1 up to an end that is the image's.

    Shape: ``(1, side)`` and three of ``(B, 1)`` to ``(B, side)``
    """
    before, after = at - start + (start <= 0).float(), end - at + (end >= 1).float()
    share = (torch.minimum(before, after) / fade).clamp(0, 1)
    return share * share * (3 - 2 * share)


class Mask(nn.Module):
    """Logits ``(B, K, h, w)`` to masks ``(B, K, 2 h, 2 w)`` in [0, 1]."""

    def forward(self, logits: Tensor) -> Tensor:
        return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False).sigmoid()


def explain(network: Subject, images: Tensor, label: int) -> Tensor:
    """Seg-Grad-CAM (Vinogradova et al., AAAI 2020, arXiv:2002.11434): where the features speak for what is inside.

    Shape: ``(B, 3, h, w)`` to ``(B, h / 32, w / 32)``, of the first look at the whole image
    """
    images = resized(images, LOOK) if isinstance(network, Looks) else images
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
        network = Looks() if complete else Subject(len(context.model.labels or ("",)))
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
