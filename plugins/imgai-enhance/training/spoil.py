"""How good pictures are spoiled, one part after the other, so that the way back can be learned, part by part.

Every spoiler takes a picture ``(1, 3, H, W)`` in [0, 1] and gives another. A recipe is a list of them with the names of
the parts that they spoil; left out of it, a part stays as it was. So each picture comes with what it looks like when
only some of its faults are mended, and the network's parts learn to mind their own business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from torch import Tensor

Spoiler = Callable[[Tensor], Tensor]
CLEAN = 0.12
"""How often nothing is spoiled at all."""
HEAVY = 0.2
"""How often all of tone, haze, exposure and white balance are."""
NORMAL = (0.45, 0.055)
"""Mean and deviation of the brightness (of sRGB) of a scene that is exposed for the scene, as `low-light` is to."""


@dataclass
class Recipe:
    """Spoilers in their order, each with the part that it spoils."""

    steps: list[tuple[str, Spoiler]]

    def __call__(self, picture: Tensor, parts: Collection[str] | None = None) -> Tensor:
        """Spoil the parts that are named; all, if none are."""
        for part, spoiler in self.steps:
            if parts is None or part in parts:
                picture = spoiler(picture).clamp(0, 1)
        return picture


def in_light(change: Spoiler) -> Spoiler:
    """A change that is made in linear light."""
    return lambda picture: linear_rgb_to_rgb(change(rgb_to_linear_rgb(picture)).clamp(0, 1))


def luma(picture: Tensor) -> Tensor:
    """Brightness (ITU-R BT.709). Shape: ``(1, 3, H, W)`` -> ``(1, 1, H, W)``"""
    weights = torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)
    return (picture * weights).sum(1, keepdim=True)


def exposed(kind: str, stops: float) -> Spoiler:
    """The scene with more light or less, as different cameras show it.

    kind: ``gain`` in linear light, clipped; ``shoulder``, where white stays white; ``response``, the camera response of
    Ying et al. 2017 (doi:10.1007/978-3-319-64698-5_4); ``film``, sRGB values as the density of a film, 1 - exp(-light),
    which is nearest to how cameras render brackets of exposures; ``gamma``; ``values``, a factor on sRGB values.
    """
    gain = 2.0**stops
    if kind == "gain":
        return in_light(lambda x: x * gain)
    if kind == "shoulder":
        return in_light(lambda x: x * gain / (1 + (gain - 1) * x))
    if kind == "response":
        power = gain**-0.3293
        return lambda x: x.clamp(min=1e-6) ** power * math.exp(1.1258 * (1 - power))
    if kind == "film":
        power = 2.0 ** (stops / 1.4)
        return lambda x: (1 - torch.exp(power * torch.log1p(-0.985 * x))) / 0.985
    if kind == "gamma":
        return lambda x: x.clamp(min=1e-6) ** (2.0 ** (-stops / 2.4))
    return lambda x: x * 2.0 ** (stops / 2.2)


KINDS = ("gain", "shoulder", "response", "film", "gamma", "values")
"""Of `exposed`."""
BY_DAY, BY_NIGHT = (0.34, 0.12, 0.2, 0.12, 0.12, 0.1), (0.2, 0.12, 0.22, 0.36, 0.05, 0.05)
"""How often each is met."""


def kind_of_exposure(rng: np.random.Generator, shares: tuple[float, ...] = BY_DAY) -> str:
    """One of the kinds of `exposed`."""
    return str(rng.choice(KINDS, p=shares))


def cast(rng: np.random.Generator, spread: float) -> Spoiler:
    """The white of another light: warmer or cooler, a little greener or more magenta."""
    warmth = float(np.clip(rng.normal(0, spread), -2.5 * spread, 2.5 * spread))
    tint = float(np.clip(rng.normal(0, 0.35 * spread), -spread, spread))
    stops = torch.tensor([warmth + tint, -tint, tint - warmth])
    if rng.random() < 0.3:  # on sRGB values, as simple software does it
        gains = (stops / 2.0).exp2()
        gains = gains / (gains * torch.tensor([0.2126, 0.7152, 0.0722])).sum()
        return lambda x: x * gains.view(1, 3, 1, 1)
    gains = stops.exp2()
    gains = gains / (gains * torch.tensor([0.2126, 0.7152, 0.0722])).sum()
    return in_light(lambda x: x * gains.view(1, 3, 1, 1))


def flattened(rng: np.random.Generator) -> Spoiler:
    """A tone curve that shows too little contrast, or sometimes too much."""
    kind = rng.random()
    if kind < 0.5:  # towards a grey
        factor = rng.uniform(0.45, 0.95) if rng.random() < 0.8 else rng.uniform(1.05, 1.4)
        towards_mean, level = rng.random() < 0.5, rng.uniform(0.35, 0.6)
        return lambda x: x * factor + (1 - factor) * (luma(x).mean() if towards_mean else level)
    if kind < 0.75:  # lifted blacks, dull whites
        black, white = rng.uniform(0, 0.22), rng.uniform(0.75, 1)
        return lambda x: black + (white - black) * x
    amount = rng.uniform(0, 0.8) if rng.random() < 0.75 else rng.uniform(-0.6, 0)
    if amount >= 0:  # the inverse of an S
        return lambda x: (1 - amount) * x + amount * (0.5 - torch.sin(torch.asin((1 - 2 * x).clamp(-1, 1)) / 3))
    return lambda x: (1 + amount) * x - amount * x * x * (3 - 2 * x)


def faded(rng: np.random.Generator) -> Spoiler:
    """Too little colour, or sometimes too much."""
    factor = rng.uniform(0.25, 0.9) if rng.random() < 0.75 else rng.uniform(1.1, 1.7)
    return lambda x: luma(x) + factor * (x - luma(x))


def hazed(rng: np.random.Generator, picture: Tensor) -> Spoiler:
    """Haze whose depth follows the picture: further up, further; bright and smooth, further; soft banks of it."""
    height, width = picture.shape[-2:]
    slope = torch.linspace(1, 0, height).view(1, 1, -1, 1).expand(1, 1, height, width)
    sky = F.avg_pool2d(luma(picture), 9, 1, 4, count_include_pad=False)
    banks = torch.from_numpy(rng.random((1, 1, 4, 4), np.float32))
    banks = F.interpolate(banks, (height, width), mode="bicubic", align_corners=False)
    share = rng.dirichlet((1, 1, 0.4, 1.6))
    depth = share[0] * slope + share[1] * sky + share[2] * banks + share[3]
    depth = depth.clamp(min=0) * rng.uniform(0.15, 1.5) / float(depth.mean())
    air = rng.uniform(0.45, 0.95) + torch.tensor([rng.normal(-0.02, 0.03), 0.0, rng.normal(0.02, 0.03)])
    through, airlight = torch.exp(-depth), air.clamp(0, 1).view(1, 3, 1, 1)
    return in_light(lambda x: x * through + airlight * (1 - through))


def file(rng: np.random.Generator, picture: Tensor, *, sensor: float = 1.0) -> Tensor:
    """As a small version of the file shows it: what is left of the sensor's noise, and 8 bits."""
    noise = torch.from_numpy(rng.standard_normal(picture.shape, np.float32))
    level = rng.uniform(0, 3) * sensor / 255
    noisy = picture + noise * level * picture.sqrt()
    if rng.random() < 0.5:
        noisy = (noisy * 255).round() / 255
    return noisy.clamp(0, 1)


def day(rng: np.random.Generator, picture: Tensor) -> tuple[Recipe, Tensor]:
    """The recipe for one picture of `auto`, and the picture."""
    if rng.random() < CLEAN:
        return Recipe([]), picture
    if rng.random() < HEAVY:
        return every_way(rng, picture), picture
    steps: list[tuple[str, Spoiler]] = []
    if rng.random() < 0.45:
        steps.append(("saturation", faded(rng)))
    if rng.random() < 0.5:
        steps.append(("contrast", flattened(rng)))
    if rng.random() < 0.25:
        steps.append(("haze", hazed(rng, picture)))
    if rng.random() < 0.6:
        stops = rng.uniform(-2.5, 0) if rng.random() < 0.65 else rng.uniform(0, 1.4)
        steps.append(("exposure", exposed(kind_of_exposure(rng), stops)))
    if rng.random() < 0.5:
        steps.append(("white-balance", cast(rng, 0.35)))
    if rng.random() < 0.5:
        rng.shuffle(steps)  # type: ignore[arg-type]
    return Recipe(steps), picture


def every_way(rng: np.random.Generator, picture: Tensor) -> Recipe:
    """Too much or too little of all at once: tone curve, haze, exposure and white balance."""
    stops = rng.uniform(-2.5, 0) if rng.random() < 0.65 else rng.uniform(0, 1.4)
    return Recipe(
        [
            ("contrast", flattened(rng)),
            ("haze", hazed(rng, picture)),
            ("exposure", exposed(kind_of_exposure(rng), stops)),
            ("white-balance", cast(rng, 0.35)),
        ]
    )


def night(rng: np.random.Generator, picture: Tensor) -> tuple[Recipe, Tensor]:
    """The recipe for one picture of `low-light`, and the picture as it is to be: exposed for the scene.

    The two are as a bracket of exposures: bright parts may clip in one that are seen in the other.
    """
    kind, lifted, bright = kind_of_exposure(rng, BY_NIGHT), 0.0, picture
    if rng.random() < 0.85:
        lift = str(rng.choice(["gain", "response", "film"]))
        wanted, low, high = rng.normal(*NORMAL), -2.5, 4.0
        for _ in range(8):
            lifted = (low + high) / 2
            bright = exposed(lift, lifted)(picture).clamp(0, 1)
            low, high = (lifted, high) if float(luma(bright).mean()) < wanted else (low, lifted)
    stops = max(0.5, rng.uniform(1, 6) - lifted)
    dark = exposed(kind, -stops)(picture).clamp(0, 1)
    steps: list[tuple[str, Spoiler]] = [("exposure", lambda _: dark)]
    if rng.random() < 0.5:
        steps.append(("white-balance", cast(rng, 0.2)))
    if rng.random() < 0.3:
        steps.append(("saturation", faded(rng)))
    return Recipe(steps), bright
