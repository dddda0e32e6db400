"""What `imgai train` comes to: how good, how fast, and whether a killed training goes on exactly.

    python benchmarks/training.py vessels SCRATCH --minutes 20
    python benchmarks/training.py classify SCRATCH --data CLOTHING --minutes 10
    python benchmarks/training.py balance SCRATCH --data CLOTHING --minutes 5
    python benchmarks/training.py kills SCRATCH --times 10
    python benchmarks/training.py speed SCRATCH

CLOTHING holds `train/CLASS/*.jpg` and `validation/CLASS/*.jpg`. Vessels are drawn by tests/training/vessels.py.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def imgai(*words: str, threads: int | None = None) -> list[dict[str, Any]]:
    """Run a command and return its events. threads: of torch."""
    environment = {**os.environ, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
    command = [sys.executable, "-m", "imgai", *words, "--json"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment, cwd=ROOT)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def train(task: str, folder: Path, out: Path, *words: str, threads: int | None = None) -> dict[str, Any]:
    """Train, and return the last event."""
    shutil.rmtree(out, ignore_errors=True)
    return imgai("train", task, str(folder), "--out", str(out), *words, threads=threads)[-1]


def vessels(scratch: Path, minutes: float) -> dict[str, float]:
    """Dice on 20 drawn eyes, of a U-Net that was trained on 20 others."""
    from tests.training.vessels import write

    for part, seed in (("train", 1), ("test", 2)):
        if not (scratch / "vessels" / part).is_dir():
            write(scratch / "vessels" / part, 20, seed=seed)
    end = train("segment", scratch / "vessels" / "train", scratch / "unet", "--from", "unet", "--minutes", str(minutes))
    return {"dice of validation": end["measures"]["dice"], "dice of 20 others": dice(scratch, Path(end["file"]))}


def dice(scratch: Path, model: Path) -> float:
    """Over all pixels of the test pictures."""
    import numpy as np
    from PIL import Image

    import imgai as library

    chain = library.load("segment", model=str(model))
    shared = total = 0
    for path in sorted((scratch / "vessels" / "test" / "images").iterdir()):
        found = chain(path).masks["foreground"].numpy() >= 0.5
        right = np.asarray(Image.open(path.parent.parent / "masks" / path.name)) > 127
        shared, total = shared + int((found & right).sum()), total + int(found.sum() + right.sum())
    return 2 * shared / total


def classify(scratch: Path, data: Path, minutes: float) -> dict[str, float]:
    """Top-1 of the validation pictures, as the folder has them."""
    end = train("classify", data, scratch / "garments", "--minutes", str(minutes))
    return {"top-1": end["measures"]["top1"], "balanced accuracy": end["measures"]["recall"]}


def balance(scratch: Path, data: Path, minutes: float, few: int = 6) -> dict[str, float]:
    """Balanced accuracy where two classes have few pictures, with and without evening that out."""
    folder = scratch / "skewed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(data, folder)
    for kind in sorted((folder / "train").iterdir())[:2]:
        for path in sorted(kind.iterdir())[few:]:
            path.unlink()
    found = {}
    for how in ("none", "auto"):
        end = train("classify", folder, scratch / how, "--balance", how, "--minutes", str(minutes))
        found[f"balanced accuracy, {how}"] = end["measures"]["recall"]
    return found


def kills(scratch: Path, times: int) -> dict[str, float]:
    """The largest difference between the weights of a training that was killed and of one that was not."""
    import torch

    from tests.training.vessels import write

    write(scratch / "small", 10, seed=3, height=120, width=110)
    options = ["--from", "unet", "--width", "4", "--size", "48", "--batch", "4", "--dropout", "0.1", "--epochs", "300"]
    options += ["--devices", "cpu"]
    train("segment", scratch / "small", scratch / "whole", *options, "--name", "net", threads=1)
    out, rng = scratch / "killed", random.Random(0)
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "imgai", "train", "segment", str(scratch / "small"), "--out", str(out), "-q"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = 0
    while True:
        resume = ["--resume"] if (out / "checkpoint.pt").exists() else ["--overwrite"]
        process = subprocess.Popen([*command, *options, "--name", "net", *resume], env=environment, cwd=ROOT)
        try:
            process.wait(rng.uniform(4, 15) if killed < times else None)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
    states = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (scratch / "whole", out)]
    pairs = [
        (states[0][part][name], states[1][part][name]) for part in ("network", "average") for name in states[0][part]
    ]
    return {"killed": killed, "difference": max(float((a.double() - b.double()).abs().max()) for a, b in pairs)}


def speed(scratch: Path, rounds: int = 5, steps: int = 20) -> dict[str, float]:
    """Steps a second of the loop, against a bare loop over tensors in memory; in turn."""
    import torch

    from imgai.console import Console
    from imgai.params import as_values
    from imgai.registry import load_registry
    from imgai.training.clock import Clock
    from imgai.training.loop import Loop, State
    from imgai.training.prepare import Job, prepare
    from imgai.training.settings import TrainOptions
    from imgai.training.tell import Teller
    from imgai.training.train import read
    from imgai.training.world import World
    from tests.training.vessels import write

    write(scratch / "some", 10, seed=4, height=300, width=290)
    registry = load_registry()
    told = {"folder": scratch / "some", "from_": "unet", "size": 128, "batch": 8, "epochs": 10**6, "devices": "cpu"}
    options = as_values(TrainOptions, told)
    dataset = read(options, registry.task("segment"), registry.model("segment", "unet"))
    (scratch / "run").mkdir(exist_ok=True)
    job = Job("segment", "net", "unet", scratch / "run", options, dataset, False, {})
    prepared = prepare(job, registry, World(torch.device("cpu")), Teller(Console(quiet=True)))
    learner, loop = prepared.learner, prepared.loop
    data = loop.batches(8)
    kept = [data.batch(step) for step in range(steps)]
    bare_network = prepared.begun.network
    optimizer = torch.optim.AdamW(bare_network.parameters(), 1e-6)

    def bare() -> float:
        begun = time.perf_counter()
        for images, targets in kept:
            optimizer.zero_grad(set_to_none=True)
            prepared_images = learner.prepare(images).contiguous(memory_format=torch.channels_last)
            loss = learner.loss(bare_network(prepared_images), targets)
            loss.backward()
            optimizer.step()
        return steps / (time.perf_counter() - begun)

    class Silence:
        """Measures nothing, tells nobody."""

        def stepped(self, *_: object) -> None: ...

        def measure(self, *_: object) -> None: ...

        def keep(self, *_: object) -> None: ...

        def warn(self, *_: object) -> None: ...

    def ours() -> float:
        clock = Clock(steps=steps, minutes=None)
        run = Loop(learner, lambda _: data, clock, 10**9, loop.world, Silence(), State(batch=8))
        begun = time.perf_counter()
        run.run()
        return steps / (time.perf_counter() - begun)

    bare(), ours()
    pairs = [(bare(), ours()) for _ in range(rounds)]
    return {
        "bare steps a second": statistics.median(one for one, _ in pairs),
        "imgai": statistics.median(two for _, two in pairs),
        "ratio": statistics.median(two / one for one, two in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("vessels", "classify", "balance", "kills", "speed"))
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    if options.what in ("classify", "balance") and options.data is None:
        parser.error(f"{options.what} needs --data")
    measures = {
        "vessels": lambda: vessels(options.scratch, options.minutes),
        "classify": lambda: classify(options.scratch, options.data, options.minutes),
        "balance": lambda: balance(options.scratch, options.data, options.minutes),
        "kills": lambda: kills(options.scratch, options.times),
        "speed": lambda: speed(options.scratch),
    }
    for name, value in measures[options.what]().items():
        print(f"{name:28} {value:.4f}")


if __name__ == "__main__":
    main()
