"""Trains the network of `low-light` that takes out noise.

    python training/clean.py --photos PHOTOS --start photo.safetensors --look low-light.safetensors --out OUT/clean

PHOTOS as for looks.py; --start are the weights of `photo` of imgai-denoise, or of low-light, to go on. Crops are taken
to the dark (1/4 to 1/60 of their light), get the noise of a sensor there, 8 bits and mostly JPEG, and are brought back
to the light; one in six has no noise. OUT gets log.jsonl, checkpoint.pt (to go on with --resume) and the moving average
of the weights in half precision; with --look, both in one file. Needs imgai[train] besides the plugin.
"""

from __future__ import annotations

import argparse
import io
import math
from pathlib import Path

import numpy as np
import torch
from imgai_enhance.cleaner import Cleaner
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from kornia.filters import gaussian_blur2d
from kornia.losses import ssim_loss
from kornia.metrics import ssim
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.training.photographs import HELD_OUT, crops, read
from imgai.training.synthesis import add_options, halved, learn

ALIKE = 0.25
"""Weight of the structural dissimilarity beside the absolute error (Zhao et al. 2017, doi:10.1109/TCI.2016.2644865):
what takes texture away with the grain costs more."""
LATE = 0.7
"""Of the time, after which crops are larger."""


def spoil(rng: np.random.Generator, clean: Tensor) -> Tensor:
    """What a picture looks like that was taken in the dark and made light. Shape: ``(1, 3, H, W)`` in [0, 1], kept."""
    if rng.random() < 1 / 6:
        return clean
    gain = math.exp(rng.uniform(math.log(4), math.log(60)))
    dark = rgb_to_linear_rgb(clean) / gain
    # Variances of shot and read noise, in linear light (Brooks et al. 2019, arXiv:1811.11127, and beyond).
    shot = math.exp(rng.uniform(math.log(1e-4), math.log(4e-3)))
    read_ = (shot * rng.uniform(0.01, 0.12)) ** 2 + rng.uniform(0, 6e-4) ** 2
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    if rng.random() < 0.6:  # demosaicing and in-camera filters make it coarser, the more of colour
        sigma = rng.uniform(0.4, 1.1)
        noise = gaussian_blur2d(noise, (7, 7), (sigma, sigma))
        noise = noise / noise.std()
    if rng.random() < 0.5:
        share = rng.uniform(0.2, 0.8)
        noise = math.sqrt(1 - share) * noise + math.sqrt(share) * noise.mean(1, keepdim=True) * math.sqrt(3)
    gains = torch.from_numpy(rng.uniform(0.8, 1.6, (1, 3, 1, 1)).astype(np.float32))
    dark = dark + noise * gains * (shot * dark + read_).sqrt()
    seen = (linear_rgb_to_rgb(dark.clamp(0, 1)) * 255).round() / 255
    if rng.random() < 0.7:
        pixels = (seen[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(
            file, "JPEG", quality=int(rng.integers(65, 98)), subsampling=int(rng.integers(0, 3))
        )
        seen = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None].float() / 255
    return linear_rgb_to_rgb((rgb_to_linear_rgb(seen) * gain).clamp(0, 1)).clamp(0, 1)


def loss_of(made: Tensor, clean: Tensor) -> Tensor:
    """Absolute error, that of the differences of neighbours, and structural dissimilarity."""
    loss = (made - clean).abs().mean() + 0.3 * gradient_error(made, clean)
    return loss + ALIKE * ssim_loss(made, clean, 11, padding="valid")


class Cleaned(nn.Module):
    """The network, and the picture without the noise that it found. Shape: ``(B, 3, H, W)`` -> the same"""

    def __init__(self, cleaner: nn.Module) -> None:
        super().__init__()
        self.cleaner = cleaner

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - self.cleaner(noisy).float()


def main() -> None:
    """Read the options, train, log, and keep the moving average."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--start", type=Path, required=True, help="weights of imgai-denoise's photo, or of low-light")
    parser.add_argument("--look", type=Path, help="weights of looks.py: both are packed into low-light.safetensors")
    parser.add_argument("--size", type=int, default=96)
    add_options(parser, rate=5e-4, minutes=25, batch=6)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    photographs = read(options.photos, options.out / "photographs.npy")
    known, held_out = photographs[:-HELD_OUT], photographs[-HELD_OUT:]
    cleaner = Cleaner()
    state = load_file(options.start)
    state = {name.removeprefix("cleaner."): x for name, x in state.items() if name.startswith("cleaner.")} or state
    cleaner.load_state_dict({name: value.float() for name, value in state.items()})
    fixed = np.random.default_rng(9)
    good = crops(fixed, held_out, 16, 192)
    bad = torch.cat([spoil(fixed, picture[None]) for picture in good])
    look = load_file(options.look) if options.look else {}

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, Tensor]:
        clean = crops(rng, known, options.batch, options.size if progress < LATE else options.size + 64)
        return torch.cat([spoil(rng, picture[None]) for picture in clean]), clean

    def measure(average: nn.Module) -> dict[str, float | list[float]]:
        with torch.inference_mode():
            after = average(bad)
        before_db, after_db = (
            float((-10 * (x - good).square().mean((1, 2, 3)).clamp(min=1e-5).log10()).mean()) for x in (bad, after)
        )
        alike = [round(float(ssim(x, good, 11, padding="valid").mean()), 4) for x in (bad, after)]
        return {"before": round(before_db, 3), "after": round(after_db, 3), "ssim": alike}

    def tensors(average: nn.Module) -> dict[str, Tensor]:
        half = halved(average)
        return look | half if look else {name.removeprefix("cleaner."): value for name, value in half.items()}

    name = "low-light" if look else "clean"
    learn(Cleaned(cleaner), batch, loss_of, options, name=name, measure=measure, tensors=tensors, clip=0.5)


def gradient_error(made: Tensor, due: Tensor) -> Tensor:
    """How far the differences of neighbours are apart: what blurs an edge, or leaves a grain, counts more."""
    difference = made - due
    across, down = difference.diff(dim=3).abs().mean(), difference.diff(dim=2).abs().mean()
    return across + down


if __name__ == "__main__":
    main()
