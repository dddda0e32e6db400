"""What happens to a picture on its way to a smaller one: the papers' bicubic filter, or what happens to real ones."""

from __future__ import annotations

import math

import numpy as np
import simplejpeg
import torch
from torch import Tensor
from torch.nn import functional as F


def whole_levels(image: Tensor) -> Tensor:
    """As a file of 8 bits holds it. Shape: kept, in [0, 1]."""
    return (image.clamp(0, 1) * 255).round() / 255


def bicubic(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Shrink with the antialiased cubic kernel (a = -0.5) that papers use.

    Shape: ``(B, 3, H, W)`` to ``(B, 3, *size)``, in [0, 1].
    """
    return F.interpolate(image, size, mode="bicubic", antialias=True).clamp(0, 1)


def blur(rng: np.random.Generator, image: Tensor, most: float) -> Tensor:
    """A Gaussian of up to `most` pixels, one in two longer in one direction. Shape: kept."""
    across, along = rng.uniform(0.2, most, 2) if rng.random() < 0.5 else [rng.uniform(0.2, most)] * 2
    angle = rng.uniform(0, math.pi)
    radius = math.ceil(3 * max(across, along))
    line = torch.arange(-radius, radius + 1).float()
    y, x = torch.meshgrid(line, line, indexing="ij")
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    kernel = torch.exp(-(u**2 / (2 * across**2) + v**2 / (2 * along**2)))
    channels = image.shape[1]
    kernel = (kernel / kernel.sum()).expand(channels, 1, -1, -1)
    return F.conv2d(F.pad(image, (radius,) * 4, mode="reflect"), kernel, groups=channels)


def shrink(rng: np.random.Generator, image: Tensor, size: tuple[int, int]) -> Tensor:
    """By one of the filters that cameras and programs use. Shape: to ``(B, 3, *size)``."""
    kind = rng.choice(["bicubic", "bilinear", "area"], p=[0.6, 0.25, 0.15])
    if kind == "bicubic":
        return bicubic(image, size)
    if kind == "bilinear":
        return F.interpolate(image, size, mode="bilinear", antialias=True)
    return F.interpolate(image, size, mode="area")


def noise(rng: np.random.Generator, image: Tensor, most: float) -> Tensor:
    """Up to `most` levels of 255: grey or coloured, fine or coarse, the same everywhere or more in the light."""
    level = rng.uniform(0, most) / 255
    grain = torch.from_numpy(rng.standard_normal(tuple(image.shape)).astype(np.float32))
    if rng.random() < 0.4:
        grain = grain[:, :1].expand_as(grain)
    if rng.random() < 0.4:
        grain = F.avg_pool2d(F.pad(grain, (1, 1, 1, 1), mode="reflect"), 3, 1) * 2
    if rng.random() < 0.5:
        grain = grain * (image.mean(1, keepdim=True) * 1.5 + 0.25).sqrt()
    return (image + grain * level).clamp(0, 1)


def jpeg(rng: np.random.Generator, image: Tensor, least: int) -> Tensor:
    """Through a JPEG file of quality `least` to 96. Shape: ``(1, 3, H, W)`` in [0, 1], kept."""
    pixels = np.ascontiguousarray((image[0].permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8))
    colors = "420" if rng.random() < 0.6 else "444"
    file = simplejpeg.encode_jpeg(pixels, quality=int(rng.integers(least, 97)), colorsubsampling=colors)
    return torch.from_numpy(simplejpeg.decode_jpeg(file)).permute(2, 0, 1)[None].float() / 255


def degrade(rng: np.random.Generator, image: Tensor, scale: int) -> Tensor:
    """A real picture's loss: blur, shrinking, noise, JPEG; one in five is only shrunk.

    Shape: ``(1, 3, H, W)`` to ``(1, 3, H / scale, W / scale)``, on whole levels of 255.
    """
    size = (image.shape[2] // scale, image.shape[3] // scale)
    if rng.random() < 0.2:
        return whole_levels(bicubic(image, size))
    if rng.random() < 0.6:
        image = blur(rng, image, 0.8 * scale)
    image = shrink(rng, image, size)
    if rng.random() < 0.7:
        image = noise(rng, image, 8 if rng.random() < 0.8 else 15)
    if rng.random() < 0.75:
        image = jpeg(rng, image, 55 if rng.random() < 0.8 else 35)
    return whole_levels(image)
