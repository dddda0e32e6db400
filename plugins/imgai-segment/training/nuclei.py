"""Train and measure the `nuclei` model.

    python training/nuclei.py train DATA/train --out OUT --minutes 60
    python training/nuclei.py measure DATA/val --weights src/imgai_segment/weights/nuclei.safetensors

DATA holds `images/NAME.webp` (or .png) and `labels/NAME.png`, 16 bit, each nucleus its number. Of DATA/train
every ninth picture is left out of training, for the constants of the instances step. OUT gets nuclei.safetensors (the
moving average of the weights, batch normalisation folded, in half precision), log.jsonl and checkpoint.pt (to go on
with --resume). Needs imgai[train] besides the plugin.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from imgai_segment.nuclei import ConvUnit, LogContrast, NucleiNet, instances
from imgai_segment.nuclei_training import loss_of, target_maps
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imgai.training.synthesis import add_options, halved, learn

CROP = 192


@dataclass
class Picture:
    """image: (H, W, 3) uint8; labels: (H, W) int32; maps: (3, H, W) uint8, the targets; kind: what it looks like."""

    name: str
    image: np.ndarray
    labels: np.ndarray
    maps: np.ndarray
    diameter: float
    kind: tuple[object, ...]


def read(folder: Path, cache: Path | None = None) -> list[Picture]:
    stored = dict(np.load(cache)) if cache is not None and cache.exists() else {}
    pictures = []
    for path in sorted((folder / "images").iterdir()):
        image = np.asarray(Image.open(path).convert("RGB"))
        labels = np.asarray(Image.open(folder / "labels" / f"{path.stem}.png")).astype(np.int32)
        if path.stem not in stored:
            stored[path.stem] = np.round(255 * target_maps(labels)).astype(np.uint8)
        areas = np.bincount(labels.ravel())[1:]
        diameter = float(np.sqrt(np.median(areas[areas > 0]) * 4 / np.pi)) if areas.any() else 20.0
        colour = bool((image.max(2) - image.min(2)).mean() > 3)
        kind = (colour, bool(image.mean() > 100), image.shape, round(math.log2(diameter)))
        pictures.append(Picture(path.stem, image, labels, stored[path.stem], diameter, kind))
    if cache is not None:
        np.savez_compressed(cache, **stored)
    return pictures


def cut(picture: Picture, rng: np.random.Generator) -> Tensor:
    """A crop at a random scale, side and turn. Returns (6, CROP, CROP) in [0, 1]: RGB and the targets."""
    scale = math.exp(rng.uniform(math.log(0.55), math.log(1.8)))
    scale = min(max(scale, min(1.0, 9 / picture.diameter)), max(1.0, 72 / picture.diameter))
    side = round(CROP / scale)
    height, width = picture.labels.shape
    if rng.random() < 0.6 and picture.labels.any():
        inside = np.flatnonzero(picture.labels)
        y, x = divmod(int(inside[rng.integers(inside.size)]), width)
        y, x = y - int(rng.integers(side)), x - int(rng.integers(side))
    else:
        y, x = int(rng.integers(height)) - side // 2, int(rng.integers(width)) - side // 2
    y, x = min(max(y, 0), max(height - side, 0)), min(max(x, 0), max(width - side, 0))
    layers = np.concatenate((picture.image[y : y + side, x : x + side].transpose(2, 0, 1),
                             picture.maps[:, y : y + side, x : x + side]))  # fmt: skip
    pad = [(0, 0), (0, side - layers.shape[1]), (0, side - layers.shape[2])]
    layers = np.pad(layers, pad, mode="symmetric") if side > min(layers.shape[1:]) else layers
    tensor = torch.from_numpy(layers.astype(np.float32) / 255)[None]
    tensor = F.interpolate(tensor, (CROP, CROP), mode="bilinear", align_corners=False, antialias=scale < 1)[0]
    tensor = tensor.transpose(1, 2) if rng.random() < 0.5 else tensor
    flips = [d for d in (1, 2) if rng.random() < 0.5]
    return tensor.flip(flips) if flips else tensor


def blur(x: Tensor, sigma: float) -> Tensor:
    taps = torch.exp(-(torch.arange(-4.0, 5.0) ** 2) / (2 * sigma**2))
    taps = (taps / taps.sum()).view(1, 1, 1, 9)
    x = F.conv2d(F.pad(x[:, None], (4, 4, 4, 4), mode="reflect"), taps)
    return F.conv2d(x, taps.transpose(2, 3))[:, 0]


def field(rng: np.random.Generator) -> Tensor:
    """A smooth random field (1, CROP, CROP) in [0, 1]: uneven lighting and out-of-focus light."""
    cells = int(rng.integers(2, 6))
    values = torch.from_numpy(rng.random((1, 1, cells, cells)).astype(np.float32))
    return F.interpolate(values, (CROP, CROP), mode="bicubic", align_corners=True)[0].clamp(0, 1)


def relight(x: Tensor, colour: bool, rng: np.random.Generator) -> Tensor:
    """Another microscope, stain and camera. Shape: (3, h, w) in [0, 1] to the same."""

    def chance(p: float) -> bool:
        return bool(rng.random() < p)

    top = max(float(x.max()), 0.02)
    bright = float(x.mean()) > 0.45
    if chance(0.25):
        x = blur(x, rng.uniform(0.4, 1.6))
    if chance(0.6):
        x = top * (x / top).clamp(min=0) ** math.exp(rng.normal(0, 0.3))
    if colour:
        if chance(0.6):
            x = x * torch.from_numpy(rng.uniform(0.8, 1.2, (3, 1, 1)).astype(np.float32))
        if chance(0.3):
            mix = np.eye(3) + rng.normal(0, 0.12, (3, 3))
            x = torch.einsum("ij,jhw->ihw", torch.from_numpy(mix.astype(np.float32)), x).clamp(0, 1)
        if chance(0.2):
            x = x[torch.from_numpy(rng.permutation(3))]
        if chance(0.15):
            x = (x * torch.from_numpy(rng.dirichlet((2, 2, 2)).astype(np.float32)).view(3, 1, 1)).sum(0, keepdim=True)
            x = x.expand(3, -1, -1)
    if bright:
        if chance(0.6):
            x = x * rng.uniform(0.6, 1.15)
        if chance(0.25):
            x = x * (1 - 0.4 * rng.random() * field(rng))
    else:
        if chance(0.25):
            x = x + 0.3 * top * rng.random() * field(rng)
        if chance(0.65):
            x = x * (math.exp(rng.uniform(math.log(0.08), 0.0)) / top)
        elif chance(0.4):
            x = x * rng.uniform(1.0, 2.5)
        if chance(0.3):
            x = x + rng.uniform(0, 0.3) * float(x.max())
    if chance(0.4):
        sigma = rng.uniform(0, 0.05) * max(float(x.max()), 0.02)
        noise = torch.from_numpy(rng.standard_normal((1 if not colour else 3, CROP, CROP), dtype=np.float32))
        x = x + sigma * noise * (0.3 + (x.clamp(min=0) / max(float(x.max()), 0.02)).sqrt())
    if chance(0.06 if colour else 0.1):
        x = 1 - x.clamp(0, 1)
    if not colour and chance(0.12):
        tint = rng.random(3) ** 2
        x = x * torch.from_numpy((tint / tint.max()).astype(np.float32)).view(3, 1, 1)
    return (x.clamp(0, 1) * 255).round() / 255


def fold(network: NucleiNet) -> NucleiNet:
    """The same network with every batch normalisation folded into its convolution."""
    network = copy.deepcopy(network).eval()
    for unit in [m for m in network.modules() if isinstance(m, ConvUnit) and len(m) == 2]:
        fused = fuse_conv_bn_eval(unit[0], unit[1])
        del unit[1]
        unit[0] = fused
    return network


@torch.inference_mode()
def predict(network: nn.Module, image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 to maps (3, H, W) float32 of the whole picture at once."""
    height, width = image.shape[:2]
    pad = ((0, -height % 16), (0, -width % 16), (0, 0))
    tensor = torch.from_numpy(np.pad(image, pad, mode="reflect").transpose(2, 0, 1).astype(np.float32) / 255)[None]
    tensor = LogContrast()(tensor).contiguous(memory_format=torch.channels_last)
    maps: np.ndarray = torch.sigmoid(network(tensor))[0, :, :height, :width].numpy()
    return maps


def precision(found: np.ndarray, truth: np.ndarray, least: float = 0.5) -> float:
    """TP / (TP + FP + FN) at an intersection over union above `least` (Data Science Bowl 2018)."""
    n, m = int(found.max()), int(truth.max())
    shared = np.zeros((n + 1, m + 1))
    np.add.at(shared, (found.ravel(), truth.ravel()), 1)
    union = shared.sum(1)[1:, None] + shared.sum(0)[None, 1:] - shared[1:, 1:]
    hits = int((shared[1:, 1:] > least * np.maximum(union, 1)).sum())
    total = n + int((shared.sum(0)[1:] > 0).sum()) - hits
    return hits / total if total else 1.0


def measure(network: nn.Module, pictures: list[Picture], threshold: float = 0.5) -> dict[str, float]:
    dice, mean_precision = [], []
    for picture in pictures:
        maps = predict(network, picture.image)
        mask, truth = maps[0] > threshold, picture.labels > 0
        dice.append(2 * (mask & truth).sum() / max(int(mask.sum() + truth.sum()), 1))
        mean_precision.append(precision(instances(maps, threshold), picture.labels))
    return {"dice": round(float(np.mean(dice)), 4), "map50": round(float(np.mean(mean_precision)), 4)}


def train(options: argparse.Namespace) -> None:
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    pictures = read(options.data, out / "targets.npz")
    tuning, training = pictures[::9], [p for i, p in enumerate(pictures) if i % 9]
    counts = Counter(p.kind for p in training)
    odds = np.array([counts[p.kind] ** -0.5 for p in training])
    odds /= odds.sum()
    network = NucleiNet(norm=options.start is None)
    if options.start is not None:
        network.load_state_dict({k: v.float() for k, v in load_file(options.start).items()})
    contrast = LogContrast()

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, Tensor]:
        chosen = [training[int(i)] for i in rng.choice(len(training), options.batch, p=odds)]
        crops = [cut(p, rng) for p in chosen]
        dull = rng.random(options.batch) < options.plain
        images = torch.stack(
            [c[:3] if d else relight(c[:3], bool(p.kind[0]), rng) for c, p, d in zip(crops, chosen, dull, strict=True)]
        )
        return contrast(images), torch.stack([c[3:] for c in crops])

    learn(
        network,
        batch,
        loss_of,
        options,
        name="nuclei",
        measure=lambda average: measure(fold(average), tuning),
        tensors=lambda average: halved(fold(average)),
        clip=2.0,
        weight_decay=0.02,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    fit = commands.add_parser("train")
    fit.add_argument("data", type=Path)
    add_options(fit, rate=2e-3, minutes=60, optimizer="adamw")
    fit.add_argument("--start", type=Path, help="weights to go on from, normalisation folded in; use a low --rate")
    fit.add_argument("--plain", type=float, default=0.0, help="share of crops whose light and colour are left alone")
    fit.set_defaults(run=train)
    test = commands.add_parser("measure")
    test.add_argument("data", type=Path)
    test.add_argument("--weights", type=Path, required=True)
    test.add_argument("--threshold", type=float, default=0.5)
    test.set_defaults(run=show)
    options = parser.parse_args()
    options.run(options)


def show(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    network = NucleiNet()
    network.load_state_dict({k: v.float() for k, v in load_file(options.weights).items()})
    network.eval().to(memory_format=torch.channels_last)
    print(json.dumps(measure(network, read(options.data), options.threshold)))


if __name__ == "__main__":
    main()
