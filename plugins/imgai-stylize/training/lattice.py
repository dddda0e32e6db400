"""Measures how regular the strokes of each painting are over an even area.

    python training/lattice.py

A smooth grey field of 512x512 pixels is painted as the command does it. In the spectrum of what comes out, the
strongest peak is divided by the median of its ring, over all periods from 4 to 32 pixels: a lattice has a high peak,
white noise about 14. Takes the installed plugin.
"""

from __future__ import annotations

import numpy as np
import torch
from imgai_stylize import MODELS, PAINTINGS, TASK, BuiltInParams, StylizeParams
from numpy.typing import NDArray

from imgai.testing import Metadata, Sample, Source, load_step

SIDE = 512
PERIODS = 4, 32
"""In pixels: those of strokes."""


def field(side: int = SIDE, noise: float = 1.5, seed: int = 0) -> NDArray[np.uint8]:
    """A smooth grey area with a little noise. Shape: ``(side, side, 3)``"""
    y, x = np.indices((side, side))
    levels = 128 + 40 * np.sin(y / 160) * np.cos(x / 190)
    grain = np.random.default_rng(seed).normal(0, noise, (side, side, 3))
    return (levels[..., None] + grain).round().clip(0, 255).astype(np.uint8)


def peak(image: NDArray[np.floating]) -> float:
    """The strongest peak of the spectrum over the median of its ring. Shape: ``(H, H)``"""
    side = len(image)
    window = np.hanning(side)
    power = np.abs(np.fft.fftshift(np.fft.fft2((image - image.mean()) * window[:, None] * window))) ** 2
    y, x = np.indices(power.shape) - side // 2
    radius = np.hypot(y, x).round()
    rings = (power[radius == ring] for ring in range(side // PERIODS[1], side // PERIODS[0]))
    return float(max(ring.max() / np.median(ring) for ring in rings))


def painted(style: str, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a painting makes of pixels ``(H, W, 3)``, in grey. Shape: ``(H, W)``"""
    own = BuiltInParams(style=(style,))
    step = load_step(TASK, MODELS[0], device=torch.device("cpu"), params=StylizeParams(), model_params=own)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    made = step(Sample(image, Source(None, "field"), Metadata("PNG"))).image
    grey: NDArray[np.float32] = made[0].mean(0).numpy()
    return grey


def main() -> None:
    """Print the peak of every painting, and that of white noise."""
    print(f"white noise: {peak(np.random.default_rng(1).normal(0, 1, (SIDE, SIDE))):.0f}")
    for style in PAINTINGS:
        print(f"{style}: {peak(painted(style, field())):.0f}", flush=True)


if __name__ == "__main__":
    main()
