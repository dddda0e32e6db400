"""How fast each backend runs each model of imgai on this CPU, and how far its answers are from torch's.

    python benchmarks/backends.py [PICTURE] [--models segment/subject,...] [--seconds 20] [--write]

Every backend takes the picture in turn, so that what else the machine does falls on all of them alike; the ratio of
medians is printed. --write puts those that are at least 5 % faster than torch, and within a level of 255 of it, into
imgai/predict/backends/fastest.toml.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import imgai
from imgai.predict.backends import _TABLE
from imgai.registry import load_registry

BACKENDS = ("torch", "onnx", "openvino")
GAIN = 1.05
LEVEL = 1 / 255


def numbers(result: imgai.Result) -> Tensor:
    """All that a result says, as one row of numbers of which 1 is all of the range."""
    parts = [result.image.flatten(), *(mask.flatten() for mask in result.masks.values())]
    parts += [torch.tensor([result.scores[name] for name in sorted(result.scores)])]
    height, width = result.image.shape[-2:]
    parts += [torch.tensor([[b.x0 / width, b.y0 / height, b.score] for b in result.boxes if b.score > 0.3]).flatten()]
    return torch.cat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", nargs="?")
    parser.add_argument("--models", default="")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    registry = load_registry()
    if given.picture:
        picture = given.picture
    else:
        import skimage.data

        picture = np.ascontiguousarray(skimage.data.coffee()[:256, :384])
    models = [f"{model.task}/{model.name}" for model in registry.models() if model.weights and not model.params]
    table: dict[str, list[str]] = {}
    print(f"{torch.get_num_threads()} threads; ratio to torch, largest difference in levels of 255")
    for name in given.models.split(",") if given.models else models:
        task, _, model = name.partition("/")
        chains, firsts = {}, {}
        for backend in BACKENDS:
            try:
                machine = imgai.Machine(backend=backend, device="cpu", precision="fp32")
                chain = imgai.load(task, model=model, machine=machine)
                firsts[backend] = numbers(chain(picture))
                chains[backend] = chain
            except imgai.ImgaiError as error:
                print(f"{name:32} {backend:9} {error}")
        times: dict[str, list[float]] = {backend: [] for backend in chains}
        end = time.monotonic() + given.seconds
        while time.monotonic() < end or len(times["torch"]) < 3:
            for backend, chain in chains.items():
                begun = time.perf_counter()
                chain(picture)
                times[backend].append(time.perf_counter() - begun)
        base = statistics.median(times["torch"])
        better = []
        for backend in chains:
            ratio = base / statistics.median(times[backend])
            same = firsts[backend].shape == firsts["torch"].shape
            apart = float((firsts[backend] - firsts["torch"]).abs().max()) if same else float("inf")
            print(f"{name:32} {backend:9} {ratio:5.2f}  {apart * 255:8.4f}  {1000 * base / ratio:8.1f} ms")
            if ratio >= GAIN and apart <= LEVEL and backend != "torch":
                better.append((ratio, backend))
        if better:
            table[name] = [backend for _, backend in sorted(better, reverse=True)]
    if given.write:
        head = [line for line in _TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
        lines = [f'"{name}" = [{", ".join(f"{each!r}" for each in names)}]' for name, names in sorted(table.items())]
        Path(_TABLE).write_text("\n".join([*head, *lines]).replace("'", '"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
