"""Prints what the model cards say was measured, with the models as they are installed.

    python training/measure.py --photos PHOTOS
    python training/measure.py --low-light FOLDER

PHOTOS: as for looks.py; the last 40 by name are used, their middle 512x512 pixels. FOLDER holds `dark` and `normal`,
pictures of the same names. PSNR is over RGB at 8 bits, the mean over pictures; SSIM over RGB with a Gaussian window of
11 pixels, without padding (Wang et al. 2004).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from imgai_enhance import MODELS, TASK, EnhanceParams, LowLightParams
from kornia.metrics import ssim
from PIL import Image, ImageOps
from spoil import Recipe, day, every_way, file
from torch import Tensor

from imgai.plugin import NoParams
from imgai.predict.device import choose_precision
from imgai.testing import Metadata, Sample, Source, Step, load_step
from imgai.training.photographs import HELD_OUT, read, to_tensor

CASTS = 24
"""Pictures that get a cast alone."""


def step_of(name: str) -> Step:
    """A model with its default params, on the CPU, in the precision that the command chooses there."""
    model = next(model for model in MODELS if model.name == name)
    own = LowLightParams() if name == "low-light" else NoParams()
    cpu = torch.device("cpu")
    precision = choose_precision("auto", cpu, bfloat16=model.bfloat16)
    return load_step(TASK, model, device=cpu, params=EnhanceParams(), model_params=own, precision=precision)


def through(step: Step, picture: Tensor) -> Tensor:
    """A picture as the command writes it. Shape: ``(1, 3, H, W)`` in [0, 1] -> the same, at 8 bits"""
    pixels = (picture * 255).round().to(torch.uint8)
    made = step(Sample(pixels, Source(None, "measured"), Metadata("PNG"))).image
    return (made.clamp(0, 1) * 255).round() / 255


def psnr(one: Tensor, other: Tensor) -> float:
    """In dB, at most 60."""
    return float(-10 * (one - other).square().mean().clamp(min=1e-6).log10())


def similarity(one: Tensor, other: Tensor) -> float:
    """SSIM."""
    return float(ssim(one, other, 11, padding="valid").mean())


def autocontrast(picture: Tensor) -> Tensor:
    """What Pillow makes of it, the darkest and lightest half percent cut."""
    pixels = (picture[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return to_tensor(np.asarray(ImageOps.autocontrast(Image.fromarray(pixels), cutoff=0.5)))[None]


def measure_auto(photos: Path) -> None:
    """Good pictures as they are, some with a cast, each spoiled three times in some ways and in all; seeds fixed."""
    cache = photos if photos.suffix == ".npy" else photos.with_suffix(".npy")
    photographs = [to_tensor(pixels)[None] for pixels in read(photos, cache)[-HELD_OUT:]]
    step = step_of("auto")
    table = np.array([[psnr(through(step, good), good), psnr(autocontrast(good), good)] for good in photographs])
    print(
        f"good pictures, out against in: auto {table[:, 0].mean():.2f} (lowest {table[:, 0].min():.2f}), "
        f"auto-contrast {table[:, 1].mean():.2f}"
    )
    rng, rows = np.random.default_rng(0), []
    for good in photographs[:CASTS]:
        gains = torch.from_numpy(rng.uniform(0.75, 1.33, (1, 3, 1, 1)).astype(np.float32))
        bad = ((good * gains).clamp(0, 1) * 255).round() / 255
        rows.append([psnr(bad, good), psnr(through(step, bad), good), psnr(autocontrast(bad), good)])
    before, after, other = np.array(rows).mean(0)
    worse = sum(row[1] < row[0] for row in rows)
    print(
        f"a cast alone: {before:.2f}, auto {after:.2f}, auto-contrast {other:.2f}; gained {after - before:.2f}; "
        f"made worse: {worse} of {len(rows)}"
    )
    for name, draw in (("at least one way", some_way), ("every way", every_way)):
        rows, rng = [], np.random.default_rng(11)
        for good in photographs * 3:
            bad = (file(rng, draw(rng, good)(good)) * 255).round() / 255
            rows.append([psnr(bad, good), psnr(through(step, bad), good), psnr(autocontrast(bad), good)])
        table = np.array(rows)
        before, after, other = table.mean(0)
        print(
            f"spoiled in {name}: {before:.2f}, auto {after:.2f}, auto-contrast {other:.2f}; "
            f"gained {after - before:.2f}; made worse: {int((table[:, 1] < table[:, 0]).sum())} of {len(table)}"
        )


def some_way(rng: np.random.Generator, picture: Tensor) -> Recipe:
    """As in training, good pictures left out."""
    recipe, _ = day(rng, picture)
    while not recipe.steps:
        recipe, _ = day(rng, picture)
    return recipe


def measure_low_light(folder: Path) -> None:
    """Pairs of dark and normal pictures."""
    step = step_of("low-light")
    rows = []
    for path in sorted((folder / "dark").iterdir()):
        dark, normal = (
            to_tensor(np.asarray(Image.open(p).convert("RGB")))[None] for p in (path, folder / "normal" / path.name)
        )
        made = through(step, dark)
        rows.append([psnr(dark, normal), psnr(made, normal), similarity(dark, normal), similarity(made, normal)])
    before, after, ssim_before, ssim_after = np.array(rows).mean(0)
    print(f"{len(rows)} pairs: PSNR {before:.2f} -> {after:.2f}, SSIM {ssim_before:.3f} -> {ssim_after:.3f}")


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of photographs, or photographs.npy of a training")
    parser.add_argument("--low-light", type=Path, help="folder with dark and normal")
    options = parser.parse_args()
    if options.photos:
        measure_auto(options.photos)
    if options.low_light:
        measure_low_light(options.low_light)


if __name__ == "__main__":
    main()
