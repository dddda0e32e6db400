"""Photographs to cut-outs, against rembg with the same network, in turn: a folder, and one picture.

python benchmarks/cutouts.py REMBG [--count 30]: REMBG is the command of an environment of its own, made with
``pip install "rembg[cpu,cli]==2.0.86"``. Needs onnx for the export. rembg shows its custom model 320 x 320 pixels.
Both are whole processes, start included. The seconds of the processor count too, since they do not depend on what
else the machine does.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from pictures import make_photographs
from torch import Tensor, nn

from imgai.plugin import LoadContext, Predictor
from imgai.predict.weights import find
from imgai.registry import load_registry

_SIDE = 320


class _Whole(nn.Module):
    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor
        self.network = predictor.network

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.predictor.postprocess(self.network(images))
        return answer


def export(path: Path) -> None:
    """Write ``subject`` as rembg takes it: after its own normalisation, with masks from 0 to 1."""
    model = load_registry().model("segment", "subject")
    assert model.weights is not None
    module, _, function = model.load.partition(":")
    context = LoadContext(model=model, device=torch.device("cpu"), weights=find(model.weights))
    whole = _Whole(getattr(importlib.import_module(module), function)(context)).eval()
    torch.onnx.export(whole, (torch.rand(1, 3, _SIDE, _SIDE),), str(path), dynamo=False, opset_version=17)


def timed(command: list[str], folder: Path) -> tuple[float, float]:
    """The seconds of a command, by the clock and of the processor. What it wrote before is removed: both would skip."""
    out = folder / command[-1]
    if out.is_dir():
        shutil.rmtree(out)
    if out.suffix:
        out.unlink(missing_ok=True)
    else:
        out.mkdir()
    environment = {**os.environ, "U2NET_HOME": str(folder)}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if not (out.is_file() or any(out.iterdir())):
        raise SystemExit(f"{command[0]} wrote nothing")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def alternated(title: str, theirs: list[str], ours: list[str], folder: Path, times: int) -> None:
    """Print the medians of both, run in turn; the first turn is not counted, since rembg compiles then."""
    turns = [[timed(command, folder) for command in (theirs, ours)] for _ in range(times + 1)][1:]
    for number, what in enumerate(("by the clock", "of the processor")):
        rembg, imgai = (statistics.median(turn[side][number] for turn in turns) for side in (0, 1))
        print(f"{title}, seconds {what}: rembg {rembg:.2f}, imgai {imgai:.2f}: {rembg / imgai:.2f} times its rate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rembg", type=Path, help="the command rembg")
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--times", type=int, default=3, help="how often the folder")
    parser.add_argument("--single", type=int, default=5, help="how often the single picture")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (one,) = make_photographs(folder / "one", 1, (3, 3), seed=1)
        export(folder / "subject.onnx")
        about = json.dumps({"model_path": str(folder / "subject.onnx")})
        custom = ["-m", "u2net_custom", "-x", about]
        imgai = [sys.executable, "-m", "imgai", "segment"]
        more = ["--as", "cutout", "--quiet", "--force", "--out"]
        if asked.single:
            alternated(
                "one picture of 3 MP",
                [str(asked.rembg), "i", *custom, str(one), "rembg.png"],
                [*imgai, str(one), *more, "imgai.png"],
                folder,
                asked.single,
            )
        if asked.times:
            make_photographs(folder / "in", asked.count, (3, 12))
            alternated(
                f"{asked.count} photographs of 3 to 12 MP",
                [str(asked.rembg), "p", *custom, "in", "rembg"],
                [*imgai, "in", *more, "imgai"],
                folder,
                asked.times,
            )


if __name__ == "__main__":
    main()
