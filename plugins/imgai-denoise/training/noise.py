"""The degradations that `photo` learns to undo: what a camera and its JPEG leave in a picture.

A clean sRGB picture is taken back to linear light, noise is added as a sensor and its raw converter would, and the
result goes forward again: shot and read noise (Foi et al. 2008, doi:10.1109/TIP.2008.2001399) on a Bayer mosaic,
bilinear demosaicing and a colour matrix as in Brooks et al. 2019 (arXiv:1811.11127), blotches of colour, what in-camera
denoising leaves, sharpening, JPEG. Demosaicing, denoising and sharpening are applied to the noise alone: they must not
teach the network to sharpen or soften what is in the picture.
"""

from __future__ import annotations

import math

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from torch import Tensor

CLEAN = 0.13
"""How often nothing is added at all, so that the network learns to leave good pictures alone."""
MIDDLE = 0.214
"""Linear light of the middle of the sRGB scale."""


def to_linear(x: Tensor) -> Tensor:
    """SRGB in [0, 1] to linear light (IEC 61966-2-1)."""
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def to_srgb(x: Tensor) -> Tensor:
    """Linear light to sRGB; what lies outside of [0, 1] is clipped, as by a camera."""
    x = x.clamp(0, 1)
    return torch.where(x <= 0.0031308, x * 12.92, 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def normal(rng: np.random.Generator, *shape: int) -> Tensor:
    """Standard normal numbers."""
    return torch.from_numpy(rng.standard_normal(shape, np.float32))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def blur(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of every channel. Shape: ``(1, C, H, W)`` -> the same."""
    radius = max(1, math.ceil(2.5 * sigma))
    at = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-at.square() / (2 * sigma * sigma))
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1, 1)
    x = F.pad(x, (radius, radius, radius, radius), mode="reflect")
    x = F.conv2d(x, kernel, groups=x.shape[1])
    return F.conv2d(x, kernel.transpose(-1, -2), groups=x.shape[1])


def demosaic(mosaic: Tensor, row: int, column: int) -> Tensor:
    """Bilinear demosaicing of one colour a pixel; the other two of each pixel are not looked at.

    Shape: ``(1, 3, H, W)`` -> the same

    row, column: where in each 2x2 cell red lies.
    """
    mask = torch.zeros_like(mosaic)
    mask[:, 0, row::2, column::2] = 1
    mask[:, 2, 1 - row :: 2, 1 - column :: 2] = 1
    mask[:, 1, row::2, 1 - column :: 2] = 1
    mask[:, 1, 1 - row :: 2, column::2] = 1
    sides = torch.tensor([[0, 0.25, 0], [0.25, 1, 0.25], [0, 0.25, 0]])
    corners = torch.tensor([[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]])
    kernel = torch.stack((corners, sides, corners))[:, None]
    return F.conv2d(F.pad(mosaic * mask, (1, 1, 1, 1), mode="reflect"), kernel, groups=3)


def colour_matrix(rng: np.random.Generator) -> Tensor:
    """From a sensor's colours to sRGB: what it adds to one it takes from the others, so greys stay. Shape: (3, 3)."""
    matrix = np.zeros((3, 3), np.float32)
    for i in range(3):
        taken = rng.uniform(0, 0.4, 2)
        matrix[i] = np.insert(-taken, i, 1 + taken.sum())
    return torch.from_numpy(matrix)


def sensor_noise(rng: np.random.Generator, linear: Tensor) -> Tensor:
    """Shot and read noise in linear light, correlated by demosaicing. Shape: ``(1, 3, H, W)`` -> the same.

    The standard deviation at the middle of the scale is 0.6 to 16 of 255 before the gains, small ones more often.
    """
    sigma = between(rng, 0.6, 16) / 255
    shot = rng.uniform(0.3, 0.97)
    # Colours that the sensor sees weakly are amplified, and their noise with them.
    gains = torch.tensor([rng.uniform(1.2, 2.2), 1.0, rng.uniform(1.2, 2.2)]).view(1, 3, 1, 1)
    variance = sigma * sigma * (shot / MIDDLE * linear * gains + (1 - shot) * gains.square())
    noise = normal(rng, *linear.shape) * variance.sqrt()
    kind = rng.random()
    if kind < 0.65:
        noise = demosaic(noise, int(rng.integers(2)), int(rng.integers(2)))
    elif kind < 0.75:  # a grey grain, the same in all colours, as of film
        noise = noise[:, 1:2].expand(-1, 3, -1, -1)
    if rng.random() < 0.6:
        noise = torch.einsum("oc,bchw->bohw", colour_matrix(rng), noise)
    return noise


def camera_filter(rng: np.random.Generator, noise: Tensor, clean: Tensor) -> Tensor:
    """What in-camera denoising, scaling and sharpening make of the noise. Shape: ``(1, 3, H, W)`` -> the same."""
    if rng.random() < 0.55:
        before = noise.std()
        luma = noise.mean(1, keepdim=True)
        chroma = noise - luma
        luma = blur(luma, rng.uniform(0.3, 1.3))
        if rng.random() < 0.7:
            chroma = blur(chroma, rng.uniform(0.4, 2.5)) * rng.uniform(0.4, 1.4)
        noise = luma + chroma
        noise = noise * (before * rng.uniform(0.4, 1.1) / (noise.std() + 1e-8))
    if rng.random() < 0.2:  # denoising that holds back at edges leaves the noise there
        grey = clean.mean(1, keepdim=True)
        edges = blur((grey - blur(grey, 1.5)).abs(), 1.5)
        keep = rng.uniform(0.2, 0.8)
        noise = noise * (keep + (1 - keep) * (edges / (edges + 0.02)) * 1.5)
    if rng.random() < 0.3:
        noise = noise + rng.uniform(0.2, 1.2) * (noise - blur(noise, rng.uniform(0.6, 1.4)))
    return noise


def blotches(rng: np.random.Generator, height: int, width: int) -> Tensor:
    """Soft spots of false colour. Shape: ``(1, 3, H, W)``, of no brightness of their own."""
    cell = between(rng, 2.5, 16)
    coarse = normal(rng, 1, 3, math.ceil(height / cell) + 2, math.ceil(width / cell) + 2)
    spots = F.interpolate(coarse, scale_factor=cell, mode="bicubic")[..., :height, :width]
    spots = spots - (spots * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return spots * (between(rng, 0.5, 6) / 255)


def jpeg(rng: np.random.Generator, picture: Tensor, low: float = 40) -> Tensor:
    """Write and read as JPEG at a quality of `low` to 98. Shape: ``(1, 3, H, W)`` in [0, 1] -> the same."""
    quality = round(low + (98 - low) * rng.random() ** 0.7)
    bits = (picture[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    sampling = str(rng.choice(["420", "422", "444"], p=[0.5, 0.15, 0.35]))
    file = simplejpeg.encode_jpeg(bits, quality=quality, colorspace="RGB", colorsubsampling=sampling, fastdct=False)
    read = simplejpeg.decode_jpeg(file, colorspace="RGB", fastdct=False, fastupsample=False)
    return torch.from_numpy(read).permute(2, 0, 1)[None].float() / 255


def photo_noise(rng: np.random.Generator, clean: Tensor) -> Tensor:
    """A degraded picture. Shape: ``(1, 3, H, W)`` in [0, 1] -> the same, even H and W."""
    kind = rng.random()
    if kind < CLEAN:
        return clean
    picture = clean
    if kind < CLEAN + 0.07:  # JPEG alone
        return jpeg(rng, clean)
    if kind < CLEAN + 0.19:  # noise of no camera: the same everywhere, of any size of grain
        noise = normal(rng, *clean.shape) * (between(rng, 1, 30) / 255)
        picture = clean + (camera_filter(rng, noise, clean) if rng.random() < 0.6 else noise)
    else:
        linear = to_linear(clean)
        noisy = to_srgb(linear + sensor_noise(rng, linear))
        noise = camera_filter(rng, noisy - clean, clean)
        if rng.random() < 0.3:
            noise = noise + blotches(rng, clean.shape[2], clean.shape[3])
        picture = clean + noise
    picture = picture.clamp(0, 1)
    return jpeg(rng, picture) if rng.random() < 0.6 else picture
