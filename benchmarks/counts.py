"""Counts of objects by ``imgai segment --as csv`` against the truth, and how long the results take to make.

python benchmarks/counts.py count DATA/images DATA/labels
python benchmarks/counts.py speed DATA/images
python benchmarks/counts.py noise

The labels are pictures of numbers, 0 for the background. `speed` puts the pictures together to 12 megapixels and
times each kind beside the network, in turns. `noise` counts in how many pictures of noise alone something is found.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from scipy import ndimage


def count(images: Path, labels: Path, more: list[str]) -> None:
    """Print the relative error of each picture's count: its mean, median and largest, and that of all together."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "imgai", "segment", str(images), "--model", "nuclei", "--as", "csv"]
        subprocess.run([*command, "--out", folder, *more], check=True)
        with (Path(folder) / "counts.csv").open(encoding="utf-8", newline="") as file:
            counts = {Path(row["path"]).stem: int(row["count"]) for row in csv.DictReader(file)}
    errors, found, true = {}, 0, 0
    for name, number in counts.items():
        truth = len(np.setdiff1d(np.unique(np.asarray(Image.open(labels / f"{name}.png"))), [0]))
        errors[name] = abs(number - truth) / max(1, truth)
        found, true = found + number, true + truth
    values = list(errors.values())
    print(
        f"{len(values)} pictures: relative error {statistics.mean(values):.1%}, median {statistics.median(values):.1%}"
    )
    print(f"all together {found} of {true}: {abs(found - true) / true:.1%}")
    for name in sorted(errors, key=lambda each: -errors[each])[:8]:
        print(f"  {name}: {counts[name]}, {errors[name]:.0%} off")


def speed(images: Path, times: int) -> None:
    """Print the seconds of each kind for a picture of 12 megapixels, and their ratio to the network's."""
    from imgai.images import make_sample
    from imgai.kinds.files import files, fragment
    from imgai.outputs.mask import Mask
    from imgai.plugin import Output, Page
    from imgai.predict.device import tune_allocator
    from imgai.registry import load_registry
    from imgai.sample import Metadata, Source
    from imgai.testing import load_step
    from imgai.testing.kinds import named_kinds

    tune_allocator()
    pixels = _mosaic(images, (3000, 4000))
    sample = make_sample(pixels, None, Source(Path("a.png"), "a.png"), Metadata("PNG"))
    registry = load_registry()
    step = load_step(registry.task("segment"), registry.model("segment", "nuclei"), device="cpu")
    network: list[float] = []
    kinds: dict[str, list[float]] = {}
    for _ in range(times):
        begun = time.perf_counter()
        result = step(sample)
        network.append(time.perf_counter() - begun)
        (mask,) = result.masks.values()
        for name in ("labels", "csv", "objects", "coco", "rois", "overlay", "mask"):
            fresh = Mask(mask.values, mask.labels, mask.instances)  # nothing is numbered yet
            (spec,) = named_kinds(name, of=Output.MASK)
            page = Page(dataclasses.replace(result), fresh, spec.params)
            begun = time.perf_counter()
            if spec.kind.once == "run":
                json.dumps(fragment(spec.kind, page))
            else:
                list(files(spec.kind, page if spec.kind.once == "page" else iter((page,))))
            kinds.setdefault(name, []).append(time.perf_counter() - begun)
        begun = time.perf_counter()
        objects = Mask(mask.values, mask.labels, mask.instances).objects(0.5)
        kinds.setdefault("(numbers alone)", []).append(time.perf_counter() - begun)
    print(f"{sum(int(numbers.max()) for _, numbers in objects)} objects")
    base = statistics.median(network)
    print(f"network {base:.2f} s")
    for name, seconds in kinds.items():
        print(f"{name:16} {statistics.median(seconds):6.2f} s  {statistics.median(seconds) / base:.2f} of the network")


def noise() -> None:
    """Draw Poisson and reading noise, 16 pictures of each blur in pixels; print in how many something is found."""
    chance = np.random.default_rng(0)
    for blur in (0, 0.7, 1.5, 3, 5):
        with tempfile.TemporaryDirectory() as folder:
            for number in range(16):
                values = chance.poisson(chance.choice((5, 50, 400)), (256, 256)).astype(float)
                values += chance.normal(100, chance.choice((1, 5, 20)), (256, 256))
                values = ndimage.gaussian_filter(values, blur) if blur else values
                tifffile.imwrite(Path(folder, f"{number}.tif"), values.round().clip(0, 65535).astype(np.uint16))
            command = [sys.executable, "-m", "imgai", "segment", folder, "--model", "nuclei", "--as", "csv"]
            command += ["--out", f"{folder}/out", "--json", "--quiet"]
            done = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = [record for record in map(json.loads, done.splitlines()) if record.get("objects")]
        print(f"blurred by {blur}: something in {len(found)} of 16")


def _mosaic(images: Path, size: tuple[int, int]) -> np.ndarray:
    """Pictures side by side, until the size is filled. Shape: ``(H, W, 3)`` uint8"""
    height, width = size
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    paths = sorted(path for path in images.iterdir() if path.is_file())
    top = left = row = number = 0
    while top < height:
        part = np.asarray(Image.open(paths[number % len(paths)]).convert("RGB"))[: height - top, : width - left]
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
        left, row, number = left + part.shape[1], max(row, part.shape[0]), number + 1
        if left >= width:
            top, left, row = top + row, 0, 0
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    counting = commands.add_parser("count")
    counting.add_argument("images", type=Path)
    counting.add_argument("labels", type=Path)
    timing = commands.add_parser("speed")
    timing.add_argument("images", type=Path)
    timing.add_argument("--times", type=int, default=3)
    commands.add_parser("noise")
    asked, more = parser.parse_known_args()
    if asked.command == "count":
        count(asked.images, asked.labels, more)
    elif asked.command == "noise":
        noise()
    else:
        speed(asked.images, asked.times)


if __name__ == "__main__":
    main()
