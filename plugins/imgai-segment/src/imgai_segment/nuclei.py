"""The `nuclei` model: instances of nuclei in microscopy, from fluorescence to stained tissue.

A compact U-Net (Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015) of residual blocks (He et al., CVPR 2016). It works at half the picture's resolution
between a pixel-unshuffle and a pixel-shuffle (Shi et al., CVPR 2016), which costs a quarter of the
same network at full resolution. Besides the class it predicts, for each pixel, how deep it lies in its
own nucleus (the solution of a Poisson equation inside each one, Gorelick et al., "Shape Representation
and Classification Using the Poisson Equation", CVPR 2004) and where two nuclei touch. `instances` grows
objects from the deep parts by a watershed (Meyer, 1994; the learned landscape as in Bai and Urtasun,
"Deep Watershed Transform", CVPR 2017).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import LoadContext, Predictor

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MAPS", "LogContrast", "NucleiNet", "instances", "load"]

MAPS = ("nucleus", "depth", "contact")
"""The channels that the model returns: the class, then the two auxiliary ones."""

# Set on pictures that were kept out of training, and out of the measurements that the model card gives.
SEED_DEPTH = 0.5  # a nucleus is grown from where it is at least this deep
CONTACT_WEIGHT = 0.5  # how much a likely contact takes from the depth
BLUR = 1.0  # pixels; texture inside a nucleus must not split it
SURENESS = 0.6  # how far an object's mean probability must lie from the threshold towards 1
SMALLEST = 20  # pixels


class LogContrast(nn.Module):
    """Concatenate the picture and its logarithm, in which a gain is an offset.

    Many fluorescence pictures use a tenth of the range. Contrast is not stretched to each picture's
    own range because tiles of one picture would be stretched differently; a pixel's value here
    depends on that pixel alone.

    Shape: (B, 3, h, w) in [0, 1] to (B, 6, h, w) in about [-0.5, 0.5].
    """

    floor = 0.02

    def forward(self, image: Tensor) -> Tensor:
        log = torch.log1p(image / self.floor) / math.log1p(1 / self.floor)
        return torch.cat((image, log), dim=1) - 0.5


class ConvUnit(nn.Sequential):
    """A 3x3 convolution, with batch normalisation while it is trained (folded into it afterwards)."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, norm: bool = False) -> None:
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norm)]
        if norm:
            layers.append(nn.BatchNorm2d(outputs))
        super().__init__(*layers)


class Residual(nn.Module):
    """Two convolutions around a short cut. Shape: (B, C, h, w) to the same."""

    def __init__(self, channels: int, *, norm: bool = False) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels, norm=norm)
        self.second = ConvUnit(channels, channels, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class NucleiNet(nn.Module):
    """Shape: (B, 6, h, w) to logits (B, 3, h, w); h and w are multiples of 16.

    norm: with batch normalisation, as it is trained; the weights that are shipped have it folded in.
    """

    def __init__(self, widths: tuple[int, ...] = (24, 48, 96, 128), *, norm: bool = False) -> None:
        super().__init__()
        self.stem = ConvUnit(6 * 4, widths[0], norm=norm)
        self.enter = ConvUnit(widths[0], widths[0], norm=norm)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(ConvUnit(a, b, stride=2, norm=norm) for a, b in pairs)
        self.encode = nn.ModuleList(Residual(b, norm=norm) for _, b in pairs)
        self.deepest = Residual(widths[-1], norm=norm)
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in reversed(pairs))
        self.decode = nn.ModuleList(Residual(a, norm=norm) for a, _ in reversed(pairs))
        self.head = nn.Conv2d(widths[0], len(MAPS) * 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(F.pixel_unshuffle(x, 2)))  # (B, 24, h/2, w/2)
        x = F.relu(x + self.enter(x))
        skips: list[Tensor] = []
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(x)
            x = encode(F.relu(down(x)))
        x = self.deepest(x)  # (B, 128, h/16, w/16)
        for up, decode in zip(self.up, self.decode, strict=True):
            # The 1x1 convolution and the enlargement commute; this order does it on a quarter of the pixels.
            wide = F.interpolate(up(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = decode(F.relu(wide + skips.pop()))
        logits: Tensor = F.pixel_shuffle(self.head(x), 2)
        return logits


def instances(maps: np.ndarray, threshold: float) -> np.ndarray:
    """Number the nuclei.

    maps: (3, H, W) float32 in [0, 1], the channels of `MAPS`.
    threshold: a pixel belongs to a nucleus where the class is above it. An object that is nowhere much above
        it is dropped.

    Returns (H, W) int32: 0 the background, the nuclei 1 to N. Takes about 20 bytes a pixel meanwhile.
    """
    import numpy as np
    from scipy import ndimage
    from skimage.segmentation import watershed

    mask = maps[0] > threshold
    depth = ndimage.gaussian_filter(maps[1] - CONTACT_WEIGHT * maps[2], BLUR)
    labels, count = ndimage.label(mask)
    seeds, seed_count = ndimage.label(mask & (depth > SEED_DEPTH))
    del mask
    # Which blob each seed lies in: a watershed is needed only in the blobs that hold several.
    sown = np.flatnonzero(seeds)
    blob_of = np.zeros(seed_count + 1, np.int32)
    blob_of[seeds.ravel()[sown]] = labels.ravel()[sown]
    crowded = np.flatnonzero(np.bincount(blob_of[1:], minlength=count + 1) > 1)
    boxes = ndimage.find_objects(labels)
    for blob in crowded:
        box = boxes[blob - 1]
        inside = labels[box] == blob
        split = watershed(-depth[box], seeds[box] * inside, mask=inside)  # type: ignore[no-untyped-call]
        labels[box][inside] = split[inside] + count
    del seeds, depth
    fill_holes(labels)
    return renumber(labels, maps[0], threshold + SURENESS * (1 - threshold))


def fill_holes(labels: np.ndarray) -> None:
    """Give each hole that lies inside one object to that object, in place. Gaps between objects stay."""
    import numpy as np
    from scipy import ndimage

    holes, _ = ndimage.label(labels == 0)
    for number, (rows, columns) in enumerate(ndimage.find_objects(holes), 1):
        if not (rows.start and columns.start and rows.stop < labels.shape[0] and columns.stop < labels.shape[1]):
            continue
        grown = slice(rows.start - 1, rows.stop + 1), slice(columns.start - 1, columns.stop + 1)
        hole = holes[grown] == number
        owners = np.unique(labels[grown][ndimage.binary_dilation(hole) & ~hole])
        if owners.size == 1:
            labels[grown][hole] = owners[0]


def renumber(labels: np.ndarray, nucleus: np.ndarray, least: float) -> np.ndarray:
    """Drop specks and objects whose mean probability is under `least`; number the others from 1, in place."""
    import numpy as np

    areas = np.zeros(int(labels.max()) + 1)
    sums = np.zeros_like(areas)
    count = 1 + labels.size // 2**22  # in bands, because bincount copies what it is given to 64 bits
    for band, likely in zip(np.array_split(labels, count), np.array_split(nucleus, count), strict=True):
        areas += np.bincount(band.ravel(), minlength=areas.size)
        sums += np.bincount(band.ravel(), likely.ravel(), minlength=areas.size)
    kept = (areas >= SMALLEST) & (sums >= least * areas)
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    for band in np.array_split(labels, count):
        band[:] = numbers[band]
    return labels


def load(context: LoadContext) -> Predictor:
    """Load the predictor; see `imgai.plugin.Predictor`."""
    if context.weights is None:
        raise ValueError("the nuclei model needs its weights file")
    network = NucleiNet()
    network.load_state_dict({name: value.float() for name, value in load_file(context.weights).items()})
    network.to(context.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.requires_grad_(False).eval()
    return Predictor(network=network, preprocess=LogContrast(), postprocess=torch.sigmoid, instances=instances)
