"""Trains the network of `auto` that estimates a colour cast.

    python training/casts.py --photos PHOTOS --more FOLDER FOLDER --auto auto.safetensors --out OUT --minutes 25

PHOTOS as for looks.py, the last 40 by name held out; --more: folders of other photographs, of any size. Pictures are
seen as squares of 128 pixels, of which a crop is drawn. Some are first given other faults (exposure, contrast, colour),
which are not to be taken for a cast; then one in four keeps its colours, two in four get a gain for each channel,
uniform in 0.75 to 1.33, and one in four the white of another light, a third of all in linear light. OUT gets
thumbnails.npz, log.jsonl, checkpoint.pt (to go on with --resume), and auto.safetensors: the editor of --auto with the
moving average of this network. Needs imgai[train] besides the plugin.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from imgai_enhance.illuminant import Illuminant
from imgai_enhance.look import uncast
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.training.photographs import HELD_OUT
from imgai.training.synthesis import add_options, halved, learn

SIDE, SEEN = 128, 96
"""Of the squares that are kept, and of the crops that are learned from."""
LOWEST, HIGHEST = 0.75, 1.33
"""Gains of a channel."""
PREFERENCE = 1.7
"""How much more often a picture of PHOTOS is drawn than one of --more, of which there are fewer kinds."""
EPSILON = 3e-4
"""Added to the squared errors before their root is taken: a root asks for the median, so that a picture whose colours
may well be meant is left alone."""


def squares(folder: Path) -> NDArray[np.uint8]:
    """The middle square of every photograph of a folder, by name. Shape: ``(N, SIDE, SIDE, 3)``"""
    found = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        with Image.open(path) as image:
            found.append(np.asarray(ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.BOX)))
    return np.stack(found)


def read(photos: Path, more: Iterable[Path], cache: Path) -> tuple[Tensor, Tensor, NDArray[np.float64]]:
    """Pictures to learn from, those held out, and how often each of the first is drawn.

    Shape: ``(N, 3, SIDE, SIDE)``, ``(HELD_OUT, 3, SIDE, SIDE)`` as bytes, ``(N,)``
    """
    if not cache.exists():
        np.savez(cache, photos=squares(photos), more=np.concatenate([squares(folder) for folder in more]))
    kept = np.load(cache)
    known = np.concatenate((kept["photos"][:-HELD_OUT], kept["more"]))
    shares = np.ones(len(known))
    shares[: len(kept["photos"]) - HELD_OUT] = PREFERENCE
    known_out, held_out = (torch.from_numpy(x).permute(0, 3, 1, 2) for x in (known, kept["photos"][-HELD_OUT:]))
    return known_out.contiguous(), held_out.contiguous(), shares / shares.sum()


def uniform(rng: np.random.Generator, low: float, high: float, count: int) -> Tensor:
    """Shape: ``(count, 1, 1, 1)``"""
    return torch.from_numpy(rng.uniform(low, high, (count, 1, 1, 1)).astype(np.float32))


def some(rng: np.random.Generator, share: float, count: int) -> Tensor:
    """1 for about that share, else 0. Shape: ``(count, 1, 1, 1)``"""
    return torch.from_numpy((rng.random((count, 1, 1, 1)) < share).astype(np.float32))


def drawn(rng: np.random.Generator, known: Tensor, indices: NDArray[np.int64]) -> Tensor:
    """One crop of each picture, half of the batches turned around. Shape: ``(B, 3, SEEN, SEEN)`` in [0, 1]"""
    side = int(rng.integers(72, SIDE + 1))
    top, left = rng.integers(0, SIDE + 1 - side, 2)
    image = known[indices, :, top : top + side, left : left + side].float() / 255
    image = F.interpolate(image, (SEEN, SEEN), mode="bilinear", antialias=True)
    return image.flip(-1) if rng.random() < 0.5 else image


def spoil(rng: np.random.Generator, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures with a cast, the logarithms of its gains, and whether their brightness can be known from them.

    Shape: ``(B, 3, H, W)`` in [0, 1] -> the same, ``(B, 3)``, ``(B,)``
    """
    count = len(image)
    other = some(rng, 0.25, count)
    image = image.clamp(min=1e-4) ** (-uniform(rng, -1, 0.9, count) * other).exp2()
    flat = some(rng, 0.15, count)
    mean = image.mean((1, 2, 3), keepdim=True)
    image = mean + (1 + flat * (uniform(rng, 0.5, 1.15, count) - 1)) * (image - mean)
    grey = image.mean(1, keepdim=True)
    colour = 1 + some(rng, 0.15, count) * (uniform(rng, 0.3, 1.3, count) - 1)
    image = (grey + colour * (image - grey)).clamp(0, 1)
    cast = torch.from_numpy(np.log(rng.uniform(LOWEST, HIGHEST, (count, 3))).astype(np.float32))
    warmth, tint = (torch.from_numpy(rng.normal(0, x, (count, 1)).astype(np.float32)) for x in (0.22, 0.08))
    white = torch.cat((warmth + tint, -tint, tint - warmth), dim=1).clamp(-0.6, 0.6)
    kind = torch.from_numpy(rng.integers(0, 4, count))
    cast = torch.where((kind == 1)[:, None], white, cast) * (kind > 0)[:, None]
    linear = torch.from_numpy(rng.random(count) < 0.3)[:, None, None, None]
    gains = cast.exp()[:, :, None, None]
    image = torch.where(linear, (image**2.2 * gains**2.2).clamp(0, 1) ** (1 / 2.2), (image * gains).clamp(0, 1))
    noise = torch.from_numpy(rng.standard_normal(image.shape, np.float32))
    image = image + noise * uniform(rng, 0, 0.02, count) * some(rng, 0.4, count)
    known = ((other + flat).flatten() == 0) & (kind != 1)
    return (image.clamp(0, 1) * 255).round() / 255, cast, known


def error(found: Tensor, cast: Tensor, known: Tensor) -> Tensor:
    """How far gains are off: in colour, and in brightness where that can be known. Shape: ``(B, 3)`` twice, ``(B,)``"""
    difference = found - cast
    brightness = difference.mean(1, keepdim=True)
    colour = ((difference - brightness).square().sum(1) + EPSILON).sqrt()
    return colour.mean() + 0.6 * ((3 * brightness[:, 0].square() + EPSILON).sqrt() * known).mean()


def psnr(one: Tensor, other: Tensor) -> Tensor:
    """In dB, at most 60. Shape: ``(B, 3, H, W)`` -> ``(B,)``"""
    squared: Tensor = (one - other).square().mean((1, 2, 3))
    return -10 * squared.clamp(min=1e-6).log10()


def validate(network: nn.Module, held_out: Tensor) -> dict[str, float]:
    """PSNR in dB: what held-out pictures gain that were spoiled by a gain a channel, and good ones as they come out."""
    rng = np.random.default_rng(0)
    image = held_out.float() / 255
    gained = []
    with torch.inference_mode():
        for _ in range(4):
            gains = rng.uniform(LOWEST, HIGHEST, (len(image), 3)).astype(np.float32)
            spoiled = ((image * torch.from_numpy(gains)[:, :, None, None]).clamp(0, 1) * 255).round() / 255
            gained.append(psnr(uncast(spoiled, network(spoiled)), image) - psnr(spoiled, image))
        good = psnr(uncast(image, network(image)), image)
    return {"gained": round(float(torch.cat(gained).mean()), 3), "good": round(float(good.mean()), 2)}


def main() -> None:
    """Read the options, train, log, and keep the moving average."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--more", type=Path, nargs="+", required=True, help="folders of other photographs")
    parser.add_argument("--auto", type=Path, required=True, help="weights of looks.py")
    add_options(parser, rate=1.5e-3, minutes=25, batch=32, optimizer="adamw")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    known, held_out, shares = read(options.photos, options.more, options.out / "thumbnails.npz")
    network = Illuminant()
    nn.init.zeros_(network.last.weight)
    nn.init.zeros_(network.last.bias)
    state = {name: x for name, x in load_file(options.auto).items() if not name.startswith("illuminant.")}

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        spoiled, cast, light = spoil(rng, drawn(rng, known, rng.choice(len(known), options.batch, p=shares)))
        return spoiled, (cast, light)

    learn(
        network,
        batch,
        lambda found, targets: error(found, *targets),
        options,
        name="auto",
        measure=lambda average: validate(average, held_out),
        tensors=lambda average: state | {f"illuminant.{name}": x for name, x in halved(average).items()},
        weight_decay=0.05,
    )


if __name__ == "__main__":
    main()
