"""A folder of photographs end to end: against its slowest stage alone, and against a plain loop.

The stages run alone with the threads that they have in the run (`imgai.run` decides them), each on the
same photographs: decode, predict, encode.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

PLAIN_LOOP = """
import sys, time
from pathlib import Path
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from imgai.plugin import LoadContext
from imgai.registry import load_registry
from imgai.weights import find
source, target = Path(sys.argv[1]), Path(sys.argv[2])
model = load_registry().model("segment", "subject")
predictor = __import__("importlib").import_module(model.load.split(":")[0]).load(
    LoadContext(model=model, device=torch.device("cpu"), weights=find(model.weights)))
target.mkdir(parents=True, exist_ok=True)
start = None
with torch.inference_mode():
    for path in sorted(source.glob("*.jpg")):
        start = start or time.perf_counter()
        picture = Image.open(path).convert("RGB")
        small = picture.resize(model.input_size[::-1], Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)[None].float() / 255
        y = predictor.postprocess(predictor.network(predictor.preprocess(x)))[0, 0]
        mask = Image.fromarray((y.numpy() * 255).round().astype(np.uint8)).resize(picture.size, Image.Resampling.BILINEAR)
        mask.save(target / (path.stem + ".png"))
print(time.perf_counter() - start)
"""


def end_to_end(source: Path, target: Path, *options: str) -> float:
    """Seconds a photograph of the command, without its start-up: taken from a run over one file."""
    return _seconds(source, target, *options)


def _seconds(source: Path, target: Path, *options: str) -> float:
    command = [str(Path(sys.executable).with_name("imgai")), "segment", str(source), "--out", str(target), "--force"]
    start = time.perf_counter()
    subprocess.run([*command, "--quiet", *options], check=True)
    return time.perf_counter() - start


def plain_loop(source: Path, target: Path) -> float:
    """Seconds of the loop alone, imports and loading left out."""
    environment = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    answer = subprocess.run(
        [sys.executable, "-c", PLAIN_LOOP, str(source), str(target)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return float(answer.stdout.split()[-1])
