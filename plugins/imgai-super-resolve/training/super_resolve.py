"""Trains the weights of `super-resolve`.

    python training/super_resolve.py --photos PHOTOS --out OUT --family clean --minutes 60
    python training/super_resolve.py --photos PHOTOS --out OUT --family photo --start OUT/clean.pt --minutes 40
    python training/super_resolve.py --photos PHOTOS --out OUT --family clean --export OUT/clean.pt
    python training/super_resolve.py --photos PHOTOS --out OUT --measure TESTS   # the table of the cards

The three scales of a family are trained as one network with three ways up. PHOTOS holds pictures (AVIF, PNG, ...) of
which the last 40 by name are held out; they are decoded once into OUT/photos.npy. OUT gets FAMILY.pt (weights, their
moving average, the optimiser: go on with --resume) and FAMILY.jsonl. --export writes FAMILY-x2.safetensors and so on.
TESTS holds set5/{hr,lr_x2,lr_x4} and set14/hr. With GLIBC_TUNABLES=glibc.malloc.mmap_threshold=4294967296 and
glibc.malloc.trim_threshold=4294967296 a CPU trains twice as fast.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from degradations import bicubic, degrade, whole_levels
from imgai_super_resolve.span import load_weights
from numpy.typing import NDArray
from PIL import Image
from spans import Spans, merged, save_weights, unmerged
from torch import Tensor, nn
from torch.nn import functional as F

SCALES, SHARES = (2, 3, 4), (0.3, 0.25, 0.45)
HELD_OUT = 40
FINE = 0.85
"""Of the time, after which --bf16 is left for float32."""
Tiles = NDArray[np.uint8]


def read_photos(folder: Path, out: Path) -> Tiles:
    """The middle 512x512 of every picture, ``(N, 512, 512, 3)``, from a file that is made at first."""
    place = out / "photos.npy"
    if not place.exists():
        tiles = []
        for path in sorted(folder.iterdir()):
            with Image.open(path) as image:
                left, top = (image.width - 512) // 2, (image.height - 512) // 2
                tiles.append(np.asarray(image.convert("RGB").crop((left, top, left + 512, top + 512))))
        np.save(place, np.stack(tiles))
    tiles_: Tiles = np.load(place, mmap_mode="r")
    return tiles_


def cut(rng: np.random.Generator, tiles: Tiles, count: int, side: int) -> Tensor:
    """Crops, turned and mirrored, one in two shrunk by up to 1.6 first. Shape: ``(count, 3, side, side)`` in [0, 1]."""
    crops = torch.empty(count, 3, side, side)
    for place in crops:
        factor = min(rng.uniform(1, 1.6), 512 / side) if rng.random() < 0.5 else 1.0
        seen = min(512, round(side * factor))
        top, left = rng.integers(0, 512 - seen + 1, 2)
        pixels = np.ascontiguousarray(tiles[rng.integers(len(tiles))][top : top + seen, left : left + seen])
        crop = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        crop = crop if seen == side else bicubic(crop, (side, side))
        crop = torch.rot90(crop, int(rng.integers(4)), (2, 3))
        place.copy_((crop.flip(3) if rng.random() < 0.5 else crop)[0])
    return crops


def luminance(image: Tensor) -> Tensor:
    """Y of BT.601 as video has it, 16 to 235 of 255. Shape: ``(B, 3, H, W)`` to ``(B, H, W)``."""
    weights = torch.tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1)
    return ((image * weights).sum(1) + 16) / 255


def psnr(image: Tensor, truth: Tensor, border: int) -> float:
    """On Y, without `border` pixels at each side, of whole levels."""
    inner = (slice(None), slice(border, -border), slice(border, -border))
    error = luminance(whole_levels(image))[inner] - luminance(truth)[inner]
    return float(-10 * torch.log10(error.square().mean()))


def smaller(rng: np.random.Generator, images: Tensor, scale: int, family: str) -> Tensor:
    """What a network is given for these pictures. Shape: ``(B, 3, H, W)`` to ``(B, 3, H / scale, W / scale)``."""
    if family == "photo":
        return torch.cat([degrade(rng, image[None], scale) for image in images])
    return whole_levels(bicubic(images, (images.shape[2] // scale, images.shape[3] // scale)))


def gains(network: Spans, tiles: Tiles, family: str, scales: tuple[int, ...] = SCALES) -> dict[int, float]:
    """By how many dB the network is better than bicubic enlargement, on 16 of the pictures held out."""
    rng, found = np.random.default_rng(7), {}
    images = torch.from_numpy(tiles[-HELD_OUT:][:16, 100:388, 100:388].copy()).permute(0, 3, 1, 2).float() / 255
    for scale in scales:
        given = smaller(rng, images, scale, family)
        gain = 0.0
        for small, truth in zip(given.split(1), images.split(1), strict=True):
            plain = F.interpolate(small, scale_factor=scale, mode="bicubic", antialias=True)
            with torch.inference_mode():
                gain += psnr(network(small, scale), truth, 4) - psnr(plain, truth, 4)
        found[scale] = round(gain / len(images), 3)
    return found


def train(options: argparse.Namespace, tiles: Tiles) -> None:
    """Train one family by the clock."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    scales = SCALES
    network = Spans()
    if options.start and options.start.suffix == ".safetensors":
        scales = (int(options.start.stem[-1]),)
        network = unmerged(load_weights(options.start, scales[0]), scales[0])
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=options.rate, betas=(0.9, 0.99))
    average = copy.deepcopy(network)
    file = options.out / f"{options.family}{'' if len(scales) > 1 else f'-x{scales[0]}'}.pt"
    if (options.start and len(scales) > 1) or options.resume:
        state = torch.load(file if options.resume else options.start, weights_only=True)
        network.load_state_dict(state["net" if options.resume else "ema"])
        average.load_state_dict(state["ema"])
        if options.resume:
            optimizer.load_state_dict(state["opt"])
    begin, step, progress, usual, training = time.time(), 0, 0.0, 0.0, tiles[:-HELD_OUT]
    while progress < 1:
        progress = min(1.0, (time.time() - begin) / 60 / options.minutes)
        rate = options.rate * min(1, (step + 1) / 100) * (0.002 + 0.998 * (0.5 + 0.5 * math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        scale = int(rng.choice(SCALES, p=SHARES)) if len(scales) > 1 else scales[0]
        side = options.side - 8 if progress < 0.7 else options.side + 8
        truth = cut(rng, training, options.batch, side * scale)
        given = smaller(rng, truth, scale, options.family).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16 and progress < FINE):
            answer = network(given, scale)
        error = answer.float() - truth
        loss = error.square().mean() if options.squared else error.abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(network.parameters(), 0.2))
        if not math.isfinite(norm) or (step > 50 and norm > 8 * usual):
            continue  # one such step can undo an hour
        usual = norm if step == 0 else 0.98 * usual + 0.02 * min(norm, 3 * usual)
        optimizer.step()
        with torch.no_grad():
            decay = min(0.999, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
        step += 1
        if step % 1000 == 0 or progress >= 1:
            entry = {"step": step, "seconds": round(time.time() - begin), "loss": round(float(loss.detach()), 5)}
            with file.with_suffix(".jsonl").open("a") as log:
                log.write(json.dumps({**entry, "gain": gains(average, tiles, options.family, scales)}) + "\n")
            parts = {"net": network.state_dict(), "ema": average.state_dict(), "opt": optimizer.state_dict()}
            torch.save(parts, file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)


def read(path: Path) -> Tensor:
    """Shape: ``(1, 3, H, W)`` in [0, 1]."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def measure(weights: Path, tests: Path, tiles: Tiles) -> None:
    """Print the table of the cards: PSNR on Y in dB, networks against bicubic enlargement."""
    print("| set | scale | border | bicubic | clean | photo |\n| --- | --- | --- | --- | --- | --- |")
    for scale in SCALES:
        networks = {f: load_weights(weights / f"{f}-x{scale}.safetensors", scale) for f in ("clean", "photo")}
        for name in ("set5", "set14"):
            pairs = []
            for path in sorted((tests / name / "hr").iterdir()):
                truth = read(path)
                height, width = (side // scale for side in truth.shape[2:])
                truth = truth[:, :, : height * scale, : width * scale]
                given = tests / name / f"lr_x{scale}" / f"{path.stem}x{scale}.png"
                small = read(given) if given.exists() else whole_levels(bicubic(truth, (height, width)))
                pairs.append((small, truth[:, :, : small.shape[2] * scale, : small.shape[3] * scale]))
            for border in sorted({scale, 4}):
                table(f"{name}, as papers do", scale, border, networks, pairs)
        rng = np.random.default_rng(11)
        truths = torch.from_numpy(tiles[-24:, 64:448, 64:448].copy()).permute(0, 3, 1, 2).float() / 255
        table("held out, degraded", scale, 4, networks, [(degrade(rng, t, scale), t) for t in truths.split(1)])


def table(
    name: str, scale: int, border: int, networks: dict[str, nn.Module], pairs: list[tuple[Tensor, Tensor]]
) -> None:
    """Print one row."""
    rows = []
    for small, truth in pairs:
        plain = F.interpolate(small, scale_factor=scale, mode="bicubic", antialias=True)
        with torch.inference_mode():
            rows.append([psnr(image, truth, border) for image in (plain, *(n(small) for n in networks.values()))])
    means = " | ".join(f"{value:.2f}" for value in np.mean(rows, axis=0))
    print(f"| {name} | x{scale} | {border} | {means} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--family", choices=["clean", "photo"], default="clean")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--side", type=int, default=44, help="of the small crops, 8 less at first and 8 more at last")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--bf16", action="store_true", help="bfloat16 for most of the time, on CPUs that have it")
    parser.add_argument("--squared", action="store_true", help="mean squared error instead of the absolute")
    parser.add_argument(
        "--start", type=Path, help="a .pt whose moving average to begin from, or shipped weights, for their scale alone"
    )
    parser.add_argument("--resume", action="store_true", help="go on from OUT/FAMILY.pt")
    parser.add_argument("--export", type=Path, metavar="PT", help="write the weights of this .pt, do not train")
    parser.add_argument("--weights", type=Path, help="where --measure finds weights; those that are shipped by default")
    parser.add_argument("--measure", type=Path, metavar="TESTS", help="measure, do not train")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    shipped = Path(__file__).parents[1] / "src" / "imgai_super_resolve" / "weights"
    if options.export:
        state = torch.load(options.export, weights_only=True)["ema"]
        scales = tuple(scale for scale in SCALES if f"upsampler.{scale}.0.weight" in state)
        network = Spans(scales)
        network.load_state_dict(state)
        for scale in scales:
            save_weights(merged(network, scale), options.out / f"{options.family}-x{scale}.safetensors")
        return
    tiles = read_photos(options.photos, options.out)
    if options.measure:
        measure(options.weights or shipped, options.measure, tiles)
    else:
        train(options, tiles)


if __name__ == "__main__":
    main()
