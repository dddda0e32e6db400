"""Photographs to cut-outs, against rembg with the same network, in turn.

python benchmarks/cutouts.py REMBG [--count 30]: REMBG is the command of an environment of its own, made with
``pip install "rembg[cpu,cli]==2.0.86"``. Needs onnx for the export. rembg shows its custom model 320 x 320 pixels.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rembg", type=Path, help="the command rembg")
    parser.add_argument("--count", type=int, default=30)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_photographs(folder / "in", asked.count, (3, 12))
        export(folder / "subject.onnx")
        about = json.dumps({"model_path": str(folder / "subject.onnx")})
        theirs = [str(asked.rembg), "p", "-m", "u2net_custom", "-x", about, "in", "rembg"]
        ours = [
            sys.executable,
            "-m",
            "imgai",
            "segment",
            "in",
            "--as",
            "cutout",
            "--quiet",
            "--force",
            "--out",
            "imgai",
        ]
        for turn in range(3):  # the first is not counted: rembg compiles then
            times = []
            for command in (theirs, ours):
                (folder / command[-1]).mkdir(exist_ok=True)
                begun = time.perf_counter()
                environment = {**os.environ, "U2NET_HOME": scratch}
                subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)
                times.append(time.perf_counter() - begun)
            if turn:
                print(f"rembg {times[0]:.1f} s, imgai {times[1]:.1f} s: {times[0] / times[1]:.2f} times its rate")


if __name__ == "__main__":
    main()
