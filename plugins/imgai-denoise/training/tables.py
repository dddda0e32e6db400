"""The tables of the model cards: the shipped weights, or others, on the usual test sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from imgai_denoise.network import DenoiseNet, Denoiser, crop, pad
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from imgai.training.photographs import to_tensor

LEVELS = (15, 25, 50)
"""Standard deviations of white Gaussian noise, of 255."""
SEED = 0


def load_weights(file: Path) -> Denoiser:
    """The denoiser with the weights of a file."""
    network = DenoiseNet()
    network.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    return Denoiser(network).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def psnr(one: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1]."""
    return float(-10 * torch.log10((one - other).square().mean()))


def clean(denoiser: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
    """A whole picture denoised, of any size. Shape: ``(1, 3, H, W)`` -> the same, in [0, 1]"""
    height, width = picture.shape[-2:]
    padded = F.pad(picture, (0, -width % 8, 0, -height % 8), mode="reflect")
    with torch.inference_mode():
        return crop(denoiser(pad(padded)))[..., :height, :width].clamp(0, 1)


def pictures(folder: Path) -> Iterable[Tensor]:
    """Every picture of a folder, ``(1, 3, H, W)``, in the order of the names."""
    for path in sorted(folder.iterdir()):
        yield to_tensor(np.asarray(Image.open(path).convert("RGB")))[None]


def eight_bits(picture: Tensor) -> Tensor:
    """As it is after it was written with 8 bits."""
    return (picture * 255).round() / 255


def gaussian_table(denoiser: Denoiser, folder: Path, *, cut: bool = False) -> None:
    """White Gaussian noise, added in float; PSNR over RGB, averaged over the pictures.

    cut: the noisy pictures are cut to [0, 1] and rounded to 8 bits, as files have them.
    """
    print(f"| sigma{', 8 bits' if cut else ''} | noisy, cut to [0, 1] | denoised |\n| --- | --- | --- |")
    for level in LEVELS:
        generator = torch.Generator().manual_seed(SEED)
        before, after = [], []
        for picture in pictures(folder):
            noisy = picture + torch.randn(picture.shape, generator=generator) * (level / 255)
            before.append(psnr(noisy.clamp(0, 1), picture))
            after.append(psnr(clean(denoiser, eight_bits(noisy.clamp(0, 1)) if cut else noisy), picture))
        print(f"| {level} | {np.mean(before):.2f} | {np.mean(after):.2f} |", flush=True)


def pairs_table(denoiser: Denoiser, folder: Path) -> None:
    """Pairs of a noisy and a clean picture; PSNR over RGB at 8 bits, averaged over the pairs."""
    before, after = [], []
    for noisy, picture in zip(pictures(folder / "noisy"), pictures(folder / "clean"), strict=True):
        before.append(psnr(noisy, picture))
        after.append(psnr(eight_bits(clean(denoiser, noisy)), picture))
    worse = sum(a < b for a, b in zip(after, before, strict=True))
    print(f"| {folder.name}, {len(after)} pairs | {np.mean(before):.2f} | {np.mean(after):.2f} | {worse} |", flush=True)


def harm_table(denoiser: Denoiser, folder: Path) -> None:
    """How far clean pictures are moved: PSNR of what comes out against what went in, at 8 bits."""
    moved = [psnr(eight_bits(clean(denoiser, picture)), picture) for picture in pictures(folder)]
    print(f"| clean {folder.parent.name}, out against in | {np.mean(moved):.2f} | {min(moved):.2f} |", flush=True)


def measure(weights: Path, tests: Path) -> None:
    """Print the tables of `photo` for the weights of a file. tests: a folder with polyu/{clean,noisy} and set14/hr."""
    denoiser = load_weights(weights)
    print("| | noisy | denoised | made worse |\n| --- | --- | --- | --- |")
    pairs_table(denoiser, tests / "polyu")
    print("\n| | mean | lowest |\n| --- | --- | --- |")
    harm_table(denoiser, tests / "set14" / "hr")
