"""Calls of a loaded chain against a run over the same files, one picture at a time, in turn in one process.

The chain is `denoise`; the pictures are JPEGs of 320 x 240. The run has ``batch=1`` and ``threads=1``. A run decodes,
predicts and writes several pictures at once on several cores, which a call with one picture cannot; so both are held to
one core, and what is compared is the time of the processor a picture. The run's is from its first record to its last,
so that loading is not counted. It writes; ``chain(path)`` does not, ``chain(path).save`` does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.pictures import make_photographs


def measure(scratch: Path, count: int = 100, rounds: int = 5) -> dict[str, float]:
    """Processor time a picture over that of the run, medians of `rounds`; and the run's milliseconds."""
    pictures = scratch / "pictures"
    make_photographs(pictures, count, (0.0768, 0.0768))
    command = [sys.executable, "-m", "benchmarks.library", str(pictures), str(scratch / "out"), str(rounds)]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    rows = [tuple(map(float, line.split())) for line in told.splitlines()]
    return {
        "calls of run": statistics.median(calls / run for run, calls, _ in rows),
        "calls with save of run": statistics.median(saved / run for run, _, saved in rows),
        "milliseconds a picture of run": 1000 * statistics.median(run for run, _, _ in rows),
    }


def _here(pictures: Path, out: Path, rounds: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before torch counts the cores
    import imgai

    machine = imgai.Machine(device="cpu", batch=1)
    paths = sorted(pictures.glob("*.jpg"))
    chain = imgai.load("denoise", machine=machine)
    for path in paths[:3]:
        chain(path)
    (out / "saved").mkdir(parents=True, exist_ok=True)
    for _ in range(rounds):
        ends = [
            time.process_time()
            for _ in imgai.run("denoise", pictures, out=out / "run", machine=machine, threads=1, force=True)
        ]
        run = (ends[-1] - ends[0]) / (len(ends) - 1)
        begun = time.process_time()
        for path in paths:
            chain(path)
        calls = (time.process_time() - begun) / len(paths)
        begun = time.process_time()
        for path in paths:
            chain(path).save(out / "saved" / path.name)
        saved = (time.process_time() - begun) / len(paths)
        print(run, calls, saved, flush=True)


if __name__ == "__main__":
    _here(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
