"""The look of a picture in numbers, and its application, pixel by pixel.

Each part is what an editor's slider does, and does nothing where its numbers are 0, so that any of them can be left
out. They are applied in this order: the cast in display values (sRGB), white balance, exposure and haze in linear
light, contrast and saturation in display values. No part looks at a pixel's neighbours, so there are no halos, and all
are smooth functions of the pixel, so 16 bits stay 16 bits.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from torch import Tensor

PARTS = ("white-balance", "exposure", "haze", "contrast", "saturation")
"""The parts, in the order of their application."""
DEGREE = 8
"""Of the tone curve."""
BINS, CELLS = 4, 6
"""The haze's bilateral grid: so many bins of brightness, and so many cells down and across."""
PLACES = {
    "white-balance": slice(0, 2),
    "exposure": slice(2, 3),
    "haze": slice(3, 3 + BINS * CELLS * CELLS),
    "contrast": slice(147, 148 + DEGREE),
    "saturation": slice(148 + DEGREE, 149 + DEGREE),
    "shoulders": slice(149 + DEGREE, 151 + DEGREE),
    "airlight": slice(151 + DEGREE, 154 + DEGREE),
    "cast": slice(154 + DEGREE, 157 + DEGREE),
}
"""Where in a look each part's numbers are. Shoulders and airlight only say how other parts act; the cast is a part of
white balance as to its colour, of exposure as to its brightness."""
SIZE = 157 + DEGREE
"""The number of values of a look."""
LUMA = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in brightness (ITU-R BT.709)."""
LEAST = 0.08
"""Of a scene's light, what haze is taken to let through at least; more amplification shows noise alone."""
WHITE = 0.92
"""From here to 1, the darkest channel of a pixel says how white it is: what is white stays white without its cast."""


def apply(
    image: Tensor, look: Tensor, place: Tensor, parts: Collection[str] = PARTS, *, keep: Tensor | None = None
) -> Tensor:
    """Apply looks to pictures or parts of pictures.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> the same, cut to [0, 1]

    look: ``(B, SIZE)``.
    place: ``(B, 4)``: top, left, height and width of each part in its picture, as fractions of the picture's sides.
    parts: which of PARTS are applied.
    keep: ``(B, 5)``, 0 where a picture is to go without a part, else 1; for training, where it differs in a batch.
    """
    if keep is None:
        keep = look.new_ones(len(look), len(PARTS))
    keeps = {part: keep[:, index, None] for index, part in enumerate(PARTS)}
    numbers = {part: look[:, PLACES[part]] * keeps[part] for part in PARTS}
    shoulder = look[:, PLACES["shoulders"]].sigmoid()[:, :, None, None, None]
    if {"white-balance", "exposure"} & set(parts):
        colour, brightness = divide(look[:, PLACES["cast"]])
        gains = look.new_zeros(len(look), 3)
        if "white-balance" in parts:
            gains = gains + colour * keeps["white-balance"]
        if "exposure" in parts:
            gains = gains + brightness * keeps["exposure"]
        image = uncast(image, gains)
    if {"white-balance", "exposure", "haze"} & set(parts):
        image = rgb_to_linear_rgb(image)
        if "white-balance" in parts:
            image = expose(image, balance(numbers["white-balance"]), shoulder[:, 0])
        if "exposure" in parts:
            image = expose(image, numbers["exposure"][:, :, None, None].clamp(-4, 8), shoulder[:, 1])
        image = image.clamp(0, 1)
        if "haze" in parts:
            airlight = look[:, PLACES["airlight"]].sigmoid()[:, :, None, None]
            image = clear(image, depth(look[:, PLACES["haze"]]) * keeps["haze"], airlight, place)
        image = linear_rgb_to_rgb(image).clamp(0, 1)
    if "contrast" in parts:
        image = tone(image, numbers["contrast"])
    if "saturation" in parts:
        image = saturate(image, numbers["saturation"][:, :, None, None])
    return image.clamp(0, 1)


def luma(image: Tensor) -> Tensor:
    """Brightness. Shape: ``(B, 3, H, W)`` -> ``(B, 1, H, W)``"""
    red, green, blue = image.chunk(3, dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def divide(cast: Tensor) -> tuple[Tensor, Tensor]:
    """The gains of a cast in two: what changes colours and leaves grey's brightness, and what changes brightness alone.

    Shape: ``(B, 3)``, natural logarithms -> ``(B, 3)``, ``(B, 1)``, which sum to it
    """
    brightness = (cast.exp() * torch.tensor(LUMA, device=cast.device)).sum(1, keepdim=True).log()
    return cast - brightness, brightness


def uncast(image: Tensor, cast: Tensor) -> Tensor:
    """Remove a cast: divide each channel by its gain, except for white.

    Shape: ``(B, 3, H, W)`` sRGB in [0, 1], ``(B, 3)``, natural logarithms of gains -> the same, cut to [0, 1]
    """
    gains = (-cast).exp()[:, :, None, None]
    white = ((image.amin(1, keepdim=True) - WHITE) / (1 - WHITE)).clamp(0, 1)
    white = white * white * (3 - 2 * white)
    return (image * torch.lerp(gains, torch.ones_like(gains), white)).clamp(0, 1)


def balance(numbers: Tensor) -> Tensor:
    """Red against blue, and both against green, as a gain for each channel that leaves grey's brightness.

    Shape: ``(B, 2)`` -> ``(B, 3, 1, 1)`` in stops
    """
    warmth, tint = numbers.unbind(1)
    stops = torch.stack((warmth + tint, -tint, tint - warmth), dim=1).clamp(-1.5, 1.5)
    grey = (2.0**stops * torch.tensor(LUMA, device=stops.device)).sum(1, keepdim=True).log2()
    return (stops - grey)[:, :, None, None]


def expose(light: Tensor, stops: Tensor, shoulder: Tensor) -> Tensor:
    """More light or less: ``k x / (1 + s (k - 1) x)`` with k = 2 ** stops.

    With a shoulder s of 0 that is a plain gain, and whites clip or turn grey; with 1, black and white stay where
    they are and the rest moves between them.

    Shape: ``(B, 3, H, W)`` in linear light -> the same
    """
    gain = 2.0**stops
    return light * gain / (1 + shoulder * (gain - 1) * light)


def depth(numbers: Tensor) -> Tensor:
    """Optical depth, above 0: soft there, so that a network can learn how much haze there is where it found none."""
    return F.softplus(numbers - 0.3, beta=8)


def bare(depth: Tensor) -> Tensor:
    """Undo `depth`; 0 becomes next to nothing."""
    return (8 * depth.clamp(min=1e-4)).expm1().log() / 8 + 0.3


def clear(light: Tensor, depth: Tensor, airlight: Tensor, place: Tensor) -> Tensor:
    """Take away the light that haze scatters into the picture: I = J t + A (1 - t), solved for J.

    The model is Koschmieder's (Narasimhan and Nayar 2002, doi:10.1023/A:1016328200723). The transmission t comes from a
    bilateral grid (Chen, Paris and Durand 2007, doi:10.1145/1276377.1276506): it varies over the picture and with
    brightness, and so follows edges.

    Shape: ``(B, 3, H, W)`` in linear light -> the same

    depth: ``(B, BINS * CELLS ** 2)``, optical depth.
    airlight: ``(B, 3, 1, 1)``.
    """
    height, width = light.shape[-2:]
    grid = depth.view(-1, BINS, CELLS, CELLS)
    top, left, tall, wide = place[:, :, None].unbind(1)
    down = (torch.arange(height, device=light.device) + 0.5) / height
    across = (torch.arange(width, device=light.device) + 0.5) / width
    y, x = _shares(top + tall * down), _shares(left + wide * across)
    bins = torch.einsum("bkij,byi,bxj->bkyx", grid, y, x)  # the grid at every pixel, for each bin of brightness
    z = luma(light).clamp(1e-6, 1).sqrt() * BINS - 0.5
    thick = bins[:, :1]
    for index in range(BINS - 1):  # from one bin to the next, linearly
        thick = torch.addcmul(thick, bins[:, index + 1, None] - bins[:, index, None], (z - index).clamp(0, 1))
    through = torch.exp(-thick).clamp(min=LEAST)
    return ((light - airlight) / through + airlight).clamp(0, 1)


def _shares(at: Tensor) -> Tensor:
    """What each cell counts for along a side, linearly interpolated between the cells' centres.

    Shape: ``(B, N)``, fractions of the picture's side -> ``(B, N, CELLS)``, which sum to 1
    """
    cells = torch.arange(CELLS, device=at.device)
    return (1 - ((at * CELLS - 0.5).clamp(0, CELLS - 1)[:, :, None] - cells).abs()).clamp(min=0)


def tone(image: Tensor, numbers: Tensor) -> Tensor:
    """A tone curve that never falls: a Bernstein polynomial whose coefficients never do.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> the same, not cut

    numbers: ``(B, DEGREE + 1)``: where black goes, and how much more or less than evenly each coefficient rises.
    """
    black = 0.5 * torch.tanh(numbers[:, :1])
    rises = torch.exp(2 * torch.tanh(numbers[:, 1:])) / DEGREE
    levels = torch.cat((black, black + rises.cumsum(1)), dim=1)
    powers = (levels.double() @ _powers(levels.device)).to(image.dtype)
    offset, result = image - 0.5, powers[:, DEGREE, None, None, None]
    for power in range(DEGREE - 1, -1, -1):
        result = torch.addcmul(powers[:, power, None, None, None], result, offset)
    return result


def saturate(image: Tensor, stops: Tensor) -> Tensor:
    """Colours further from grey, or nearer to it, by a factor of 2 ** stops. Shape: ``(B, 3, H, W)``, kept."""
    grey = luma(image)
    return grey + 2.0 ** stops.clamp(-2, 2) * (image - grey)


def _powers(device: torch.device) -> Tensor:
    """From Bernstein coefficients to those of the powers of x - 1/2, which lose few digits. ``(DEGREE + 1,) * 2``"""
    rows = []
    for index in range(DEGREE + 1):
        # C(n, i) (u + 1/2)^i (1/2 - u)^(n - i), multiplied out
        row = [0.0] * (DEGREE + 1)
        for first in range(index + 1):
            for second in range(DEGREE - index + 1):
                term = math.comb(index, first) * math.comb(DEGREE - index, second) * (-1) ** second
                row[first + second] += math.comb(DEGREE, index) * term * 0.5 ** (DEGREE - first - second)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64, device=device)
