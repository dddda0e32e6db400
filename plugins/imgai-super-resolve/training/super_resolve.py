"""Trains the weights of `faithful`, one network at a time, and measures those of `clean` beside them.

`--family clean` trains the same network on pictures that are only shrunk, which `faithful` begins with.

    python training/super_resolve.py --photos PHOTOS --out OUT --family clean --scale 4 --minutes 60
    python training/super_resolve.py --photos PHOTOS --out OUT --scale 2 --start OUT/clean-x4/clean-x4.safetensors
    python training/super_resolve.py --photos PHOTOS --out OUT --measure TESTS   # the table of the cards

PHOTOS holds pictures (AVIF, PNG, ...) of which the last 40 by name are held out; they are decoded once into
OUT/photos.npy. OUT/FAMILY-xSCALE gets the moving average of the weights, log.jsonl and checkpoint.pt (to go on with
--resume). Needs imgai[train] besides the plugin. TESTS holds set5/{hr,lr_x2,lr_x4} and set14/hr.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from degradations import bicubic, degrade, whole_levels
from drawings import drawings
from imgai_super_resolve import span, srmd
from imgai_super_resolve.span import Span, load_weights
from numpy.typing import NDArray
from PIL import Image
from spans import begin_with_body, begin_with_repetition, tensors_of
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.training.synthesis import add_options, learn

SCALES = (2, 3, 4)
HELD_OUT = 40
CANDIDATES = 3
"""Crops of which one is taken, more likely one with more detail: a clear sky teaches little."""
MOST = 2.6
"""Times that a picture is shrunk at most before it is cut."""
DRAWN = 150
"""Pictures that are drawn for `clean`, beside the photographs."""
EPSILON = 5e-4
"""Added to a crop's squared error before its logarithm is taken: a crop of sky counts no more than one of leaves."""
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


def details(tiles: Tiles) -> NDArray[np.float32]:
    """How much a cubic filter loses of each 8x8 pixels at half the size, squared: ``(N, 64, 64)``."""
    found = []
    for start in range(0, len(tiles), 16):
        images = torch.from_numpy(tiles[start : start + 16].copy()).permute(0, 3, 1, 2).float() / 255
        lost = F.interpolate(bicubic(images, (256, 256)), (512, 512), mode="bicubic") - images
        found.append(F.avg_pool2d(lost.square().mean(1), 8).numpy())
    return np.concatenate(found)


def cut(rng: np.random.Generator, tiles: Tiles, detail: NDArray[np.float32], count: int, side: int) -> Tensor:
    """Crops, turned and mirrored, three in four shrunk first, as far as they reach: detail becomes finer.

    Shape: ``(count, 3, side, side)`` in [0, 1].
    """
    crops = torch.empty(count, 3, side, side)
    for place in crops:
        factor = rng.uniform(1, min(MOST, 512 / side)) if rng.random() < 0.75 else 1.0
        seen = min(512, round(side * factor))
        corners = rng.integers(0, (len(tiles), 513 - seen, 513 - seen), (CANDIDATES, 3))
        chances = np.sqrt([detail[n, y // 8 : (y + seen) // 8, x // 8 : (x + seen) // 8].mean() for n, y, x in corners])
        chances = chances + 1e-4
        number, top, left = corners[rng.choice(CANDIDATES, p=chances / chances.sum())]
        pixels = np.ascontiguousarray(tiles[number][top : top + seen, left : left + seen])
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
    if family == "faithful":
        return torch.cat([degrade(rng, image[None], scale) for image in images])
    return whole_levels(bicubic(images, (images.shape[2] // scale, images.shape[3] // scale)))


def gain(network: nn.Module, tiles: Tiles, scale: int, family: str) -> float:
    """By how many dB the network is better than bicubic enlargement, on 16 of the pictures held out, at half size."""
    rng, total = np.random.default_rng(7), 0.0
    images = torch.from_numpy(tiles[-HELD_OUT:][:16, 16:496, 16:496].copy()).permute(0, 3, 1, 2).float() / 255
    images = bicubic(images, (240, 240))
    given = smaller(rng, images, scale, family)
    for small, truth in zip(given.split(1), images.split(1), strict=True):
        plain = F.interpolate(small, scale_factor=scale, mode="bicubic", antialias=True)
        with torch.inference_mode():
            total += psnr(network(small), truth, 4) - psnr(plain, truth, 4)
    return round(total / len(images), 3)


def train(options: argparse.Namespace, tiles: Tiles) -> None:
    """Train one network."""
    torch.manual_seed(options.seed)
    scale, family = options.scale, options.family
    network = Span(scale)
    begin_with_repetition(network, scale)
    if options.start:
        begin_with_body(network, load_weights(options.start, int(options.start.stem[-1])))
    training = np.asarray(tiles[:-HELD_OUT])
    if family == "clean":
        training = np.concatenate([training, drawings(DRAWN, training)])
    detail = details(training)

    def batch(rng: np.random.Generator, progress: float) -> tuple[Tensor, Tensor]:
        truth = cut(rng, training, detail, options.batch, options.side * scale)
        return smaller(rng, truth, scale, family), truth

    def loss(answer: Tensor, truth: Tensor) -> Tensor:
        error = answer - truth
        return (error.square().mean((1, 2, 3)) + EPSILON).log().mean() * 0.02 if options.psnr else error.abs().mean()

    name = f"{family}-x{scale}"
    options.out = options.out / name
    measure = lambda average: {"gain": gain(average, tiles, scale, family)}  # noqa: E731
    learn(network, batch, loss, options, name=name, measure=measure, tensors=tensors_of, clip=0.2)


def read(path: Path) -> Tensor:
    """Shape: ``(1, 3, H, W)`` in [0, 1]."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def measure(weights: Path, tests: Path, tiles: Tiles) -> None:
    """Print the table of the cards: PSNR on Y in dB, networks against bicubic enlargement."""
    print("| set | scale | border | bicubic | clean | faithful |\n| --- | --- | --- | --- | --- | --- |")
    for scale in SCALES:
        networks: dict[str, nn.Module] = {
            family: module.load_weights(weights / f"{family}-x{scale}.safetensors", scale)
            for family, module in (("clean", srmd), ("faithful", span))
        }
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
    parser.add_argument("--family", choices=["clean", "faithful"], default="clean")
    parser.add_argument("--scale", type=int, choices=SCALES, default=4)
    parser.add_argument("--side", type=int, default=48, help="of the small crops")
    add_options(parser, rate=4e-3, minutes=60, batch=12)
    parser.add_argument("--psnr", action="store_true", help="the PSNR of each crop counts, not the absolute error")
    parser.add_argument("--start", type=Path, help="weights to begin from; of another scale, their body alone")
    parser.add_argument("--weights", type=Path, help="where --measure finds weights; those that are shipped by default")
    parser.add_argument("--measure", type=Path, metavar="TESTS", help="measure, do not train")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    shipped = Path(__file__).parents[1] / "src" / "imgai_super_resolve" / "weights"
    tiles = read_photos(options.photos, options.out)
    if options.measure:
        measure(options.weights or shipped, options.measure, tiles)
    else:
        train(options, tiles)


if __name__ == "__main__":
    main()
