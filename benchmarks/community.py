"""A community model through imgai: as fast as a bare loop of torch, and tiled as whole.

    python benchmarks/community.py MODEL PICTURES [--rounds 3]
    python benchmarks/community.py MODEL --tiled PICTURE [--tile 384]

The first takes a folder of pictures through the model, files and all, in turn by `imgai.run` and by a loop that reads
with Pillow, calls the network and writes PNG, and prints the ratio of the medians (above 1: imgai is faster), of
seconds and of processor seconds, which other work on the machine changes less. The second prints the largest difference
between the picture in tiles and as a whole, in levels of 255.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import imgai
from imgai.predict.device import tune_allocator
from imgai.predict.foreign.community import _built


def bare(model: Path, pictures: list[Path], out: Path) -> None:
    """The loop that people write."""
    network, _, _ = _built(model)
    out.mkdir()
    with torch.inference_mode():
        for path in pictures:
            image = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None] / 255
            answer = network(image).clamp(0, 1)[0]
            made = (answer * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            Image.fromarray(made).save(out / f"{path.stem}.png")


def through(model: Path, folder: Path, out: Path) -> None:
    records = list(imgai.run(f"super-resolve --model '{model}' --format png", folder, out))
    failed = [record for record in records if record["status"] != "done"]
    assert not failed, failed


def speed(model: Path, folder: Path, rounds: int) -> None:
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "imgai": []}
    for number in range(rounds + 1):
        for name in times:
            scratch = Path(tempfile.mkdtemp())
            begun = time.perf_counter(), time.process_time()
            if name == "bare":
                bare(model, pictures, scratch / "out")
            else:
                through(model, folder, scratch / "out")
            if number:  # the first round finds what is not known of the file
                times[name].append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
            shutil.rmtree(scratch)
    for index, what in enumerate(("s", "processor s")):
        bare_, through_ = (statistics.median(each[index] for each in times[name]) for name in ("bare", "imgai"))
        print(f"{model.name}, {len(pictures)} pictures: bare {bare_:.2f} {what}, imgai {through_:.2f} {what}")
        print(f"ratio {bare_ / through_:.2f}")


def tiled(model: Path, picture: Path, tile: int) -> None:
    machines = {"whole": imgai.Machine(tile=8192), "tiled": imgai.Machine(tile=tile)}
    made = {
        name: imgai.load("super-resolve", model=str(model), machine=machine)(picture).image
        for name, machine in machines.items()
    }
    difference = (made["whole"] - made["tiled"]).abs() * 255
    print(f"{model.name}: largest difference {float(difference.max()):.2f}, mean {float(difference.mean()):.4f} levels")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiled", type=Path)
    parser.add_argument("--tile", type=int, default=384)
    given = parser.parse_args()
    tune_allocator()  # for the bare loop too
    if given.tiled:
        tiled(given.model, given.tiled, given.tile)
    if given.pictures:
        speed(given.model, given.pictures, given.rounds)


if __name__ == "__main__":
    main()
