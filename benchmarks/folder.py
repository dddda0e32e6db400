"""A folder of photographs end to end: against its slowest stage alone, and against a plain loop.

The three stages run alone as they do in a run, with as many threads: decode (`imgai.images.read`), predict
(`Chain.stream`), encode and commit (`Writer.write`). The plain loop is what a person writes in ten lines: Pillow, the
same network in eager torch, bilinear interpolation, Pillow's PNG.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

PLAIN_LOOP = """
import importlib, sys, time
from pathlib import Path
import numpy as np
import torch
from PIL import Image
from imgai.plugin import LoadContext
from imgai.registry import load_registry
from imgai.predict.weights import find
source, target = Path(sys.argv[1]), Path(sys.argv[2])
model = load_registry().model("segment", "subject")
module, _, function = model.load.partition(":")
context = LoadContext(model=model, device=torch.device("cpu"), weights=find(model.weights))
predictor = getattr(importlib.import_module(module), function)(context)
paths = sorted(source.glob("*.jpg"))[: int(sys.argv[3])]
target.mkdir(parents=True, exist_ok=True)
begun = time.perf_counter()
with torch.inference_mode():
    for path in paths:
        picture = Image.open(path).convert("RGB")
        small = picture.resize(model.input_size[::-1], Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255
        y = predictor.postprocess(predictor.network(predictor.preprocess(x)))[0, 0]
        mask = Image.fromarray((y.numpy() * 255).round().astype(np.uint8))
        mask.resize(picture.size, Image.Resampling.BILINEAR).save(target / f"{path.stem}.png")
print(len(paths) / (time.perf_counter() - begun))
"""


def plain_loop(source: Path, target: Path, count: int) -> float:
    """Photographs a second; imports and loading are left out."""
    environment = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    command = [sys.executable, "-c", PLAIN_LOOP, str(source), str(target), str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


END_TO_END = """
import sys, time
from pathlib import Path
from imgai.console import Console
from imgai.registry import load_registry
from imgai.options import Machine
from imgai.runs import OutputOptions, RunOptions, run
from imgai.predict.spec import StepSpec
from imgai.runs.stages import Stages
from imgai.testing.kinds import named_kinds
registry = load_registry()
begun = []
start = Stages.start
Stages.start = lambda *given: (begun.append(time.perf_counter()), start(*given))[1]
spec = StepSpec(registry.task("segment"), registry.model("segment", "subject"))
names = [str(path) for path in sorted(Path(sys.argv[1]).glob("*.jpg"))[: int(sys.argv[3])]]
options = RunOptions(inputs=names, out=Path(sys.argv[2]), outputs=OutputOptions(named_kinds("mask")), force=True,
    machine=Machine(device="cpu"))
summary = run([spec], options, Console(quiet=True))
assert summary.done == len(names)
print(len(names) / (time.perf_counter() - begun[0]))
"""


def end_to_end(source: Path, target: Path, count: int) -> float:
    """Photographs a second of the very engine behind the command; imports and loading are left out."""
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-c", END_TO_END, str(source), str(target), str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def stages(source: Path, target: Path, count: int) -> dict[str, float]:
    """Photographs a second of each stage alone."""
    command = [sys.executable, "-m", "benchmarks.folder", str(source), str(target), str(count)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name: float(rate) for name, rate in (line.split() for line in answer.stdout.splitlines())}


def measure(scratch: Path, count: int = 200, rounds: int = 3) -> dict[str, float]:
    """The ratios, each the median over rounds in which all run one after the other."""
    from benchmarks.pictures import make_photographs

    source, target = scratch / "photographs", scratch / "out"
    make_photographs(source, count, (2, 12))
    ratios_stage, ratios_loop, rates = [], [], []
    for _ in range(rounds):
        alone = stages(source, target, min(count, 40))
        rate = end_to_end(source, target, count)
        loop = plain_loop(source, target, min(count, 40))
        ratios_stage.append(rate / min(alone.values()))
        ratios_loop.append(rate / loop)
        rates.append(rate)
    return {
        "of_slowest_stage": statistics.median(ratios_stage),
        "of_plain_loop": statistics.median(ratios_loop),
        "photographs_a_second": statistics.median(rates),
        **{f"{name}_alone": rate for name, rate in alone.items()},
        "plain_loop_a_second": loop,
    }


def _stages_here(source: Path, target: Path, count: int) -> None:
    from imgai.predict.device import tune_allocator

    tune_allocator()
    import torch

    from imgai.images import read
    from imgai.predict.chain import Chain
    from imgai.predict.spec import StepSpec
    from imgai.registry import load_registry
    from imgai.runs.guard import Guard, Inputs
    from imgai.runs.job import Job
    from imgai.runs.names import plan
    from imgai.runs.options import OutputOptions
    from imgai.runs.scan import scan
    from imgai.runs.write import Writer
    from imgai.sample import Sample, Source
    from imgai.testing import load_step
    from imgai.testing.kinds import named_kinds

    registry = load_registry()
    spec = StepSpec(registry.task("segment"), registry.model("segment", "subject"))
    chain = Chain([load_step(spec.task, spec.model, device=torch.device("cpu"))])
    paths = sorted(source.glob("*.jpg"))[:count]
    options = OutputOptions(named_kinds("mask"))
    plans = plan(scan([str(path) for path in paths]), target, options)
    writer = Writer(target, [spec], options, Guard(Inputs()))

    def decode(path: Path) -> Sample:
        return next(read(path, Source(path, path.name)))

    workers = min(8, os.cpu_count() or 1)

    def pooled(work: Callable[[Any], object], items: Iterable[Any]) -> list[Any]:
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(work, items))

    begun = time.perf_counter()
    decoded = pooled(decode, paths)
    print("decode", count / (time.perf_counter() - begun))
    list(chain.stream(decoded[:4]))
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    begun = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        # As in a run: one thread a core, each with a share of the photographs.
        shares = pool.map(lambda first: list(chain.stream(decoded[first::cores])), range(cores))
        by_share = list(shares)
    print("predict", count / (time.perf_counter() - begun))
    found = [by_share[place % cores][place // cores] for place in range(count)]
    begun = time.perf_counter()
    pooled(lambda pair: writer.write(Job(pair[0], ""), pair[1]), zip(plans, found, strict=True))
    print("encode", count / (time.perf_counter() - begun))


if __name__ == "__main__":
    _stages_here(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
