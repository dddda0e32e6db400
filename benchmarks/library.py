"""Calls of a loaded chain against the rate of a run over the same files, one picture at a time, in turn in one process.

The chain is `denoise`; the pictures are JPEGs of 320 x 240. The run has ``batch=1`` and ``threads=1``, and decodes and
writes while the networks are at work; counted is the time from its first record to its last, so that loading is not.
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
    """Times a picture over those of the run, medians of `rounds`; and the run's pictures a second."""
    pictures = scratch / "pictures"
    make_photographs(pictures, count, (0.0768, 0.0768))
    command = [sys.executable, "-m", "benchmarks.library", str(pictures), str(scratch / "out"), str(rounds)]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    rows = [tuple(map(float, line.split())) for line in told.splitlines()]
    return {
        "calls of run": statistics.median(calls / run for run, calls, _ in rows),
        "calls with save of run": statistics.median(saved / run for run, _, saved in rows),
        "pictures a second of run": 1 / statistics.median(run for run, _, _ in rows),
    }


def _here(pictures: Path, out: Path, rounds: int) -> None:
    import imgai

    machine = imgai.Machine(device="cpu", batch=1)
    paths = sorted(pictures.glob("*.jpg"))
    chain = imgai.load("denoise", machine=machine)
    for path in paths[:3]:
        chain(path)
    (out / "saved").mkdir(parents=True, exist_ok=True)
    for _ in range(rounds):
        ends = [
            time.perf_counter()
            for _ in imgai.run("denoise", pictures, out=out / "run", machine=machine, threads=1, force=True)
        ]
        run = (ends[-1] - ends[0]) / (len(ends) - 1)
        begun = time.perf_counter()
        for path in paths:
            chain(path)
        calls = (time.perf_counter() - begun) / len(paths)
        begun = time.perf_counter()
        for path in paths:
            chain(path).save(out / "saved" / path.name)
        saved = (time.perf_counter() - begun) / len(paths)
        print(run, calls, saved, flush=True)


if __name__ == "__main__":
    _here(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
