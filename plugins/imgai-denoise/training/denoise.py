"""Trains the weights of `photo`: on white noise first, then on that of cameras. `gaussian` has a script of its own.

    python training/denoise.py --model gaussian --photos PHOTOS --out OUT/white --minutes 40
    python training/denoise.py --model photo --photos PHOTOS --out OUT/photo --minutes 35 \
        --start OUT/white/gaussian.safetensors --rate 0.0004
    python training/denoise.py --measure TESTS --weights OUT/photo/photo.safetensors  # the tables of the card

PHOTOS is a folder of photographs of at least 512x512 pixels, in any format that Pillow reads; the last 40 by name are
held out. OUT gets photographs.npy (the pictures, decoded once), log.jsonl, checkpoint.pt (to go on with --resume) and
the moving average of the weights in half precision. Needs imgai[train] besides the plugin.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imgai_denoise.network import DenoiseNet
from kornia.enhance import adjust_hue, adjust_saturation
from noise import photo_noise
from safetensors.torch import load_file
from tables import LEVELS, measure, psnr
from torch import Tensor, nn

from imgai.training.photographs import HELD_OUT, crops, read, to_tensor
from imgai.training.synthesis import add_options, halved, learn

HIGHEST = 55
"""The highest standard deviation that `gaussian` sees, of 255."""
LATE = 0.75
"""Of the time, after which crops are larger."""
VIVID = 0.3
"""Share of the crops of `gaussian` whose hues are turned and whose colours are made stronger: photographs have few
strongly saturated colours, and test pictures and drawings have many."""
EPSILON = 1e-4
"""Added to a crop's squared error before its logarithm is taken: beyond 40 dB it is good enough."""


def initialize(network: DenoiseNet) -> None:
    """Orthogonal weights; what is added to the way around starts small, and so does the noise that is found."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.orthogonal_(module.weight, 0.6)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("second.weight"):
                weight.mul_(0.2)
        network.head.weight.mul_(0.1)


def degrade(model: str, rng: np.random.Generator, clean: Tensor) -> Tensor:
    """What the network is given to clean. Shape: ``(B, 3, H, W)`` -> the same"""
    if model == "photo":
        return torch.cat([photo_noise(rng, picture[None]) for picture in clean])
    noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
    level = torch.from_numpy(rng.uniform(0, HIGHEST / 255, (len(clean), 1, 1, 1)).astype(np.float32))
    return clean + noise * level


def vivid(rng: np.random.Generator, clean: Tensor) -> Tensor:
    """Turn the hues of some crops, and multiply their saturation by 1 to 3. Shape: ``(B, 3, H, W)``, kept"""
    chosen = torch.from_numpy(rng.random(len(clean)) < VIVID)
    if not chosen.any():
        return clean
    count = int(chosen.sum())
    turns = torch.from_numpy(rng.uniform(-np.pi, np.pi, count).astype(np.float32))
    factors = torch.from_numpy(rng.uniform(1, 3, count).astype(np.float32))
    made = clean.clone()
    made[chosen] = adjust_saturation(adjust_hue(clean[chosen], turns), factors).clamp(0, 1)
    return made


def validation(model: str, photographs: Any) -> tuple[Tensor, Tensor]:
    """24 held-out pictures and what became of them: for `gaussian` eight at each of the levels that papers measure."""
    rng = np.random.default_rng(5)
    clean = to_tensor(photographs[-HELD_OUT:][:24, 128:384, 128:384])
    if model == "photo":
        return clean, degrade(model, rng, clean)
    level = torch.tensor(LEVELS).repeat_interleave(8).view(-1, 1, 1, 1) / 255
    return clean, clean + torch.from_numpy(rng.standard_normal(clean.shape, np.float32)) * level


def validate(network: nn.Module, clean: Tensor, noisy: Tensor) -> list[float]:
    """Mean PSNR of each eight of the validation pictures."""
    with torch.inference_mode():
        found = [psnr((n - network(n[None])[0]).clamp(0, 1), c) for n, c in zip(noisy, clean, strict=True)]
    return [round(float(np.mean(found[i : i + 8])), 3) for i in range(0, len(found), 8)]


def error_of(squared: Tensor) -> Tensor:
    """The PSNR of each picture, in a unit that suits the rate. Shape: ``(B,)`` mean squared errors to ``()``"""
    return (squared + EPSILON).log().mean() * 0.02


class Cleaned(nn.Module):
    """The network, and the picture without the noise that it found. Shape: ``(B, 3, H, W)`` -> the same"""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, noisy: Tensor) -> Tensor:
        return noisy - self.network(noisy).float()


def train(options: argparse.Namespace) -> None:
    """Train, log, and keep the moving average."""
    options.out.mkdir(parents=True, exist_ok=True)
    photographs = read(options.photos, options.out / "photographs.npy")
    torch.manual_seed(options.seed)
    network = DenoiseNet()
    initialize(network)
    if options.start:
        network.load_state_dict({name: value.float() for name, value in load_file(options.start).items()})
    clean_val, noisy_val = validation(options.model, photographs)

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, Tensor]:
        clean = crops(rng, photographs[:-HELD_OUT], options.batch, options.crop if progress < LATE else options.late)
        if options.model == "gaussian":
            clean = vivid(rng, clean)
        return degrade(options.model, rng, clean), clean

    learn(
        Cleaned(network),
        batch,
        lambda made, clean: error_of((made - clean).square().mean((1, 2, 3))),
        options,
        name=options.model,
        measure=lambda average: {"psnr": validate(average.network, clean_val, noisy_val)},
        tensors=lambda average: halved(average.network),
        clip=0.5,
    )


def main() -> None:
    """Train, or measure what was trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("gaussian", "photo"), default="gaussian")
    parser.add_argument("--photos", type=Path, help="folder of photographs")
    add_options(parser, rate=4e-3, needs_out=False)
    parser.add_argument("--crop", type=int, default=64, help="side of a crop")
    parser.add_argument("--late", type=int, default=96, help="side of a crop in the last quarter")
    parser.add_argument("--start", type=Path, help="weights to begin with")
    parser.add_argument("--measure", type=Path, metavar="TESTS", help="print the tables instead of training")
    parser.add_argument("--weights", type=Path, help="the weights to measure")
    options = parser.parse_args()
    if options.measure:
        torch.set_num_threads(options.threads)
        if not options.weights:
            parser.error("--measure needs --weights")
        measure(options.weights, options.measure)
    elif options.photos and options.out:
        train(options)
    else:
        parser.error("training needs --photos and --out")


if __name__ == "__main__":
    main()
