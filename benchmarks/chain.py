"""What several steps cost in one chain, against their networks alone and against a command for each; and in a pipe.

The chain is enhance, denoise, segment over 100 photographs. "Alone" is the sum of what each step takes over the same
samples in memory, one thread a core, and of decoding and encoding alone. The pipe is enhance into denoise, each held to
one core, against the one after the other with files between them; both are whole commands, start-up included. There
enhance is `low-light`, whose network costs what that of denoise does: of two unlike steps the longer hides the other.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.pictures import make_photographs

STEPS = ("enhance", "denoise", "segment")


def measure(scratch: Path, count: int = 100, rounds: int = 3) -> dict[str, float]:
    """Ratios, medians of `rounds` in turn. Photographs of 0.2 to 0.4 MP."""
    pictures = scratch / "pictures"
    make_photographs(pictures, count, (0.2, 0.4))
    of_alone, of_separate, of_pipe = [], [], []
    for _ in range(rounds):
        command = [sys.executable, "-m", "benchmarks.chain", str(pictures), str(scratch / "out")]
        told = subprocess.run(command, check=True, capture_output=True, text=True, env=_environment()).stdout
        chain, alone, separate = map(float, told.split()[-3:])
        of_alone.append(chain / alone)
        of_separate.append(chain / separate)
        of_pipe.append(_piped(pictures, scratch / "piped"))
    return {
        "chain of alone": statistics.median(of_alone),
        "chain of three runs": statistics.median(of_separate),
        "pipe of one after other": statistics.median(of_pipe),
    }


def _environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("GLIBC_TUNABLES", "OMP_WAIT_POLICY")}
    return kept | {"OMP_WAIT_POLICY": "PASSIVE"} | more


def _piped(pictures: Path, scratch: Path) -> float:
    """Time of a pipe over that of its two commands one after the other."""
    imgai = f"{sys.executable} -m imgai.cli.main"
    environment = _environment(OMP_NUM_THREADS="1")
    times = []
    first, second = (f"{imgai} {words} -q --threads 1 -o" for words in ("enhance --model low-light", "denoise"))
    for script in (
        f"{first} - {pictures} | {second} {scratch}/piped -",
        f"{first} {scratch}/first {pictures} && {second} {scratch}/second {scratch}/first",
    ):
        shutil.rmtree(scratch, ignore_errors=True)
        begun = time.perf_counter()
        subprocess.run(["bash", "-c", f"set -eo pipefail; {script}"], check=True, env=environment)
        times.append(time.perf_counter() - begun)
    return times[0] / times[1]


def _shared(step: Any, samples: list[Any], cores: int) -> list[list[Any]]:
    """As in a run: one thread a core, each with a share of the samples."""
    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(lambda first: list(step.stream(samples[first::cores])), range(cores)))


def _here(pictures: Path, out: Path) -> None:
    from imgai.predict.device import tune_allocator

    tune_allocator()
    import torch

    from imgai.console import Console
    from imgai.images import read
    from imgai.options import Machine
    from imgai.predict.chain import Chain
    from imgai.predict.spec import StepSpec
    from imgai.registry import load_registry
    from imgai.runs import OutputOptions, RunOptions, run
    from imgai.runs.guard import Guard, Inputs
    from imgai.runs.job import Job
    from imgai.runs.load import load_chains
    from imgai.runs.names import plan
    from imgai.runs.scan import scan
    from imgai.runs.stages import Stages
    from imgai.runs.write import Writer
    from imgai.sample import Sample, Source
    from imgai.testing.kinds import named_kinds

    registry = load_registry()
    tasks = [registry.task(name) for name in STEPS]
    specs = [StepSpec(task, registry.model(task.name), params=task.params(), name=task.name) for task in tasks]
    begun: list[float] = []
    start = Stages.start
    Stages.start = lambda *given: (begun.append(time.perf_counter()), start(*given))[1]  # type: ignore[method-assign]

    def timed(steps: list[StepSpec], source: Path, to: Path, kind: str) -> float:
        shutil.rmtree(to, ignore_errors=True)
        options = RunOptions(
            inputs=[str(source)], out=to, outputs=OutputOptions(named_kinds(kind)), machine=Machine(device="cpu")
        )
        assert run(steps, options, Console(quiet=True)).failed == 0
        return time.perf_counter() - begun[-1]  # loading is left out

    chained = timed(specs, pictures, out / "chain", "mask")
    separate, source = 0.0, pictures
    for spec in specs:
        to = out / spec.name
        separate += timed([spec], source, to, "mask" if spec.name == "segment" else "image")
        source = to
    paths = sorted(pictures.glob("*.jpg"))
    options = RunOptions(inputs=[], out=out, outputs=OutputOptions(named_kinds("mask")), machine=Machine(device="cpu"))
    cores, workers = torch.get_num_threads(), min(8, os.cpu_count() or 1)
    torch.set_num_threads(1)
    clock = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        samples: list[Any] = list(pool.map(lambda path: next(read(path, Source(path, path.name))), paths))
    alone = time.perf_counter() - clock
    for spec in specs:
        (chain,) = load_chains([spec], options.machine, Console(quiet=True))
        step = Chain(chain.steps)
        list(step.stream(samples[:2]))
        clock = time.perf_counter()
        shares = _shared(step, samples, cores)
        alone += time.perf_counter() - clock
        samples = [shares[place % cores][place // cores] for place in range(len(paths))]
    shutil.rmtree(out / "alone", ignore_errors=True)
    plans = plan(scan([str(path) for path in paths]), out / "alone", options.outputs)
    writer = Writer(out / "alone", specs, options.outputs, Guard(Inputs()))
    clock = time.perf_counter()

    def write(pair: tuple[object, object]) -> None:
        each, sample = pair
        assert isinstance(sample, Sample)
        writer.write(Job(each, ""), sample)  # type: ignore[arg-type]

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(write, zip(plans, samples, strict=True)))
    alone += time.perf_counter() - clock
    print(chained, alone, separate)


if __name__ == "__main__":
    _here(Path(sys.argv[1]), Path(sys.argv[2]))
