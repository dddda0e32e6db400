"""Styles that are drawn by rules, without a network: mosaic, pencil, halftone, watercolour.

Each takes tiles ``(B, 3, H, W)`` in [0, 1] and their top left corners in their pictures ``(B, 2)`` in pixels, and gives
the same shape. Tesserae, dots and hatching are laid out over the whole picture, so that neighbouring tiles agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_grayscale
from kornia.filters import gaussian_blur2d
from torch import Tensor

Drawing = Callable[[Tensor, Tensor], Tensor]
CELL = 14
"""Side of a tessera, pixels."""
SCREEN = 7.0
"""Distance of the dots of a halftone, pixels."""


def mosaic(image: Tensor, origin: Tensor) -> Tensor:
    """Tesserae of one colour each, with grout between them: the Voronoi cells of a grid whose points are jittered."""
    down, across = _coordinates(image, origin)
    row, column = (down / CELL).floor(), (across / CELL).floor()
    far = torch.full_like(down, 1e9)
    near, second, point = far, far, torch.zeros(*down.shape, 2, device=image.device)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            y = (row + i + 0.5 + 0.35 * _random(row + i, column + j, 1)) * CELL
            x = (column + j + 0.5 + 0.35 * _random(row + i, column + j, 2)) * CELL
            distance = (down - y).square() + (across - x).square()
            closer = distance < near
            second = torch.where(closer, near, torch.minimum(second, distance))
            point = torch.where(closer[..., None], torch.stack((x, y), dim=-1), point)
            near = torch.where(closer, distance, near)
    mean = F.avg_pool2d(image, CELL - 1, 1, (CELL - 1) // 2, count_include_pad=False)
    height, width = image.shape[-2:]
    size = torch.tensor([width, height], device=image.device)
    corner = origin.flip(1)[:, None, None]
    colour = F.grid_sample(mean, ((point - corner + 0.5) / size * 2 - 1), padding_mode="border", align_corners=False)
    shade = 1 + 0.07 * _random((point[..., 1] / CELL).floor(), (point[..., 0] / CELL).floor(), 3)
    grout = ((second.sqrt() - near.sqrt() - 1.2) / 1.2).clamp(0, 1)[:, None]
    return (colour * shade[:, None]).clamp(0, 1) * grout + 0.24 * (1 - grout)


def pencil(image: Tensor, origin: Tensor) -> Tensor:
    """Outlines and hatching on paper: lighter than its neighbourhood is white, and the darker, the more hatches."""
    grey = rgb_to_grayscale(image)
    around = gaussian_blur2d(grey, (25, 25), (5.0, 5.0))
    outline = _outlines(grey, around).pow(2.2)
    noise = _noise(image, origin, 5)
    paper = 0.97 + 0.02 * _noise(image, origin, 9)
    tone = (1 - around).clamp(0, 1)
    drawn = torch.ones_like(grey)
    for turned, above in ((False, 0.12), (True, 0.5)):
        hatch = _along(noise.flip(-1) if turned else noise)
        hatch = hatch.flip(-1) if turned else hatch
        # The pencil's pressure follows the tone; it touches where the grain of the paper is high.
        pressure = ((tone - above) / (1 - above)).clamp(0, 1)
        drawn = drawn * (1 - 0.95 * torch.sigmoid((hatch * 0.55 + pressure * 2.2 - 1.15) * 4) * pressure.sqrt())
    return (paper * (0.12 + 0.88 * outline) * (0.1 + 0.9 * drawn)).clamp(0, 1).expand(-1, 3, -1, -1)


def halftone(image: Tensor, origin: Tensor) -> Tensor:
    """Dots of cyan, magenta, yellow and black, each screen at its own angle, as in offset print."""
    down, across = _coordinates(image, origin)
    smooth = gaussian_blur2d(image, (7, 7), (1.5, 1.5))
    black = (1 - smooth.amax(1)).square()
    inks = ((1 - smooth - black[:, None]) / (1 - black[:, None]).clamp(min=1e-3)).clamp(0, 1)
    paper = torch.tensor([0.98, 0.97, 0.93], device=image.device).view(1, 3, 1, 1)
    result = paper.expand_as(image)
    shades = ((0.0, 0.62, 0.88), (0.88, 0.05, 0.5), (0.98, 0.88, 0.08), (0.1, 0.09, 0.1))
    for index, (degrees, shade) in enumerate(zip((15, 75, 0, 45), shades, strict=True)):
        angle = math.radians(degrees)
        u = (across * math.cos(angle) + down * math.sin(angle)) * (2 * math.pi / SCREEN)
        v = (down * math.cos(angle) - across * math.sin(angle)) * (2 * math.pi / SCREEN)
        screen = (u.cos() + v.cos()) / 4 + 0.5
        ink = black if index == 3 else inks[:, index]
        dot = torch.sigmoid((ink * 1.12 - 0.06 - (1 - screen)) * 14)[:, None]
        colour = torch.tensor(shade, device=image.device).view(1, 3, 1, 1)
        result = result * (1 - dot + dot * colour)
    return result


def watercolour(image: Tensor, origin: Tensor) -> Tensor:
    """Flat washes with darker rims on rough paper (Kuwahara 1976 for the washes; Bousseau et al. 2006 for the rest)."""
    image = _wobbled(image, origin)
    washes = _kuwahara(_kuwahara(image, 3), 2)
    light = rgb_to_grayscale(washes)
    # Tones in soft steps, as layers of paint make them.
    steps = 7.0
    level = (light * steps).floor()
    inside = torch.sigmoid((light * steps - level - 0.5) * 9)
    stepped = (level + inside) / steps
    washes = (washes + 0.55 * (stepped - light)).clamp(0, 1)
    edge = (gaussian_blur2d(washes, (15, 15), (3.0, 3.0)) - washes).abs().mean(1, keepdim=True)
    density = 1 + 5.0 * edge.clamp(max=0.12)
    grey = rgb_to_grayscale(image)
    # A few lines of a pencil below the paint keep faces and lettering.
    lines = _outlines(grey, gaussian_blur2d(grey, (15, 15), (3.0, 3.0)))
    flow = F.interpolate(F.avg_pool2d(_noise(image, origin, 3), 8, 8, ceil_mode=True), image.shape[-2:], mode="bicubic")
    grain = gaussian_blur2d(_noise(image, origin, 4), (5, 5), (0.9, 0.9))
    density = density * (1 + 0.9 * flow * (1 - light)) * (1 + 0.25 * grain * (1 - 0.6 * light))
    paint = 0.08 + 0.92 * washes
    saturated = rgb_to_grayscale(paint) + 1.25 * (paint - rgb_to_grayscale(paint))
    return (saturated.clamp(1e-3, 1) ** density * 0.99 * lines.pow(1.3)).clamp(0, 1)


DRAWINGS: dict[str, Drawing] = {
    "mosaic": mosaic,
    "pencil": pencil,
    "halftone": halftone,
    "watercolour": watercolour,
}


def _coordinates(image: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of each pixel in its picture. Shape: two of ``(B, H, W)``"""
    height, width = image.shape[-2:]
    down = origin[:, :1, None] + torch.arange(height, device=image.device)[None, :, None]
    across = origin[:, 1:, None] + torch.arange(width, device=image.device)[None, None, :]
    return down.expand(-1, -1, width), across.expand(-1, height, -1)


def _random(row: Tensor, column: Tensor, kind: int) -> Tensor:
    """A number from -1 to 1 for each place, always the same one for a place: integers, stirred. Shape kept."""
    value = row.long() * 73856093 ^ column.long() * 19349663 ^ kind * 83492791
    for _ in range(2):
        value = ((value >> 15) ^ value) * 0x2C1B3C6D & 0x7FFFFFFF
    value = (value >> 12) ^ value
    return (value & 0xFFFF).float() / 32767.5 - 1


def _noise(image: Tensor, origin: Tensor, kind: int) -> Tensor:
    """White noise from -1 to 1. Shape: ``(B, 1, H, W)``"""
    return _random(*_coordinates(image, origin), kind)[:, None]


def _along(noise: Tensor, length: int = 21) -> Tensor:
    """Noise drawn out along the diagonal into strokes, with a deviation of about 1. Shape: ``(B, 1, H, W)``, kept."""
    kernel = torch.eye(length, device=noise.device).flip(0)[None, None]
    kernel = kernel + 0.6 * (F.pad(kernel, (1, 0))[..., :length] + F.pad(kernel, (0, 1))[..., 1:])
    return F.conv2d(noise, kernel / kernel.square().sum().sqrt(), padding=length // 2) * math.sqrt(3)


def _outlines(grey: Tensor, around: Tensor) -> Tensor:
    """1 where a picture is lighter than around it, and less the darker it is. Shape: ``(B, 1, H, W)``, kept."""
    smooth = gaussian_blur2d(grey, (7, 7), (1.0, 1.0))
    return ((smooth + 0.04) / (around + 0.04)).clamp(0, 1)


def _wobbled(image: Tensor, origin: Tensor) -> Tensor:
    """Outlines as an unsteady hand draws them: shifted by a pixel or two. Shape: ``(B, 3, H, W)``, kept."""
    down, across = _coordinates(image, origin)
    height, width = image.shape[-2:]
    y = 1.6 * (torch.sin(across / 23 + 2 * torch.sin(down / 31)) + torch.sin(across / 9.5 + down / 13.0) * 0.4)
    x = 1.6 * (torch.sin(down / 19 + 2 * torch.sin(across / 37)) + torch.sin(down / 8.5 - across / 12.0) * 0.4)
    rows = torch.arange(height, device=image.device)[None, :, None] + y + 0.5
    columns = torch.arange(width, device=image.device)[None, None, :] + x + 0.5
    grid = torch.stack((columns / width * 2 - 1, rows / height * 2 - 1), dim=-1)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def _kuwahara(image: Tensor, radius: int) -> Tensor:
    """The mean of whichever of eight sectors around a pixel vary least: flat areas with sharp edges. Shape kept.

    The sectors are round and soft (Papari, Petkov and Campisi 2007, doi:10.1109/TIP.2007.903912): square ones leave
    squares behind.
    """
    side, sigma = 2 * radius + 1, radius / 2
    padded = F.pad(image, (radius,) * 4, mode="replicate")
    moments = gaussian_blur2d(torch.cat((padded, padded.square()), dim=1), (side, side), (sigma, sigma), "replicate")
    mean, square = moments.chunk(2, dim=1)
    variance = (square - mean.square()).clamp(min=0).sum(1, keepdim=True)
    total, weights = torch.zeros_like(image), torch.zeros_like(image[:, :1])
    height, width = image.shape[-2:]
    for turn in range(8):
        top = radius + round(radius * math.sin(turn * math.pi / 4))
        left = radius + round(radius * math.cos(turn * math.pi / 4))
        rows, columns = slice(top, top + height), slice(left, left + width)
        # Scaled so that neither the smallest nor the largest leaves the range of float32.
        weight = (1e-4 + variance[..., rows, columns]).pow(-4) * 1e-16
        total, weights = total + weight * mean[..., rows, columns], weights + weight
    return total / weights
