"""A hundred calls of a loaded chain against the rate of a folder, one picture at a time, alternating in one process.

The chain is `denoise`; the pictures are JPEGs of 320 x 240. Both sides read each file, predict and write a JPEG:
``imgai.run(..., batch=1, threads=1)`` and ``chain(path).save(path)``. Wall-clock time a picture is compared; processor
time too, since other programs on the same cores disturb the clock. The time of the run is taken from its first record
to its last, so that loading the model is not counted.

A run takes as many pictures at once as there are cores, which a single call cannot. So that both predict one picture at
a time, the network has one thread and the process is measured twice: held to one core, where nothing overlaps, and on
any core, where the run decodes and writes beside the network.
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
    """Time of calls over that of the run, medians of `rounds` pairs; and the milliseconds a picture of the run."""
    pictures = scratch / "pictures"
    make_photographs(pictures, count, (0.0768, 0.0768))
    figures: dict[str, float] = {}
    for cores in ("one core", "any core"):
        command = [sys.executable, "-m", "benchmarks.library", str(pictures), str(scratch / "out"), str(rounds), cores]
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}
        lines = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()
        rows = [tuple(map(float, line.split())) for line in lines]
        figures[f"{cores}: calls / run"] = statistics.median(row[1] / row[0] for row in rows)
        figures[f"{cores}: the same, processor"] = statistics.median(row[3] / row[2] for row in rows)
        figures[f"{cores}: milliseconds of run"] = 1000 * statistics.median(row[0] for row in rows)
    return figures


def _measure_here(pictures: Path, out: Path, rounds: int, *, one_core: bool) -> None:
    """Print, for each round, the seconds per picture: run and calls by the clock, run and calls by processor time."""
    if one_core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before torch counts the cores
    import imgai

    machine = imgai.Machine(device="cpu", batch=1)
    paths = sorted(pictures.glob("*.jpg"))
    chain = imgai.load("denoise", machine=machine)
    for path in paths[:3]:
        chain(path)
    (out / "calls").mkdir(parents=True, exist_ok=True)
    for _ in range(rounds):
        ends = [_now() for _ in imgai.run("denoise", pictures, out=out / "run", machine=machine, threads=1, force=True)]
        start = _now()
        for path in paths:
            chain(path).save(out / "calls" / path.name)
        end = _now()
        for clock in (0, 1):
            run = (ends[-1][clock] - ends[0][clock]) / (len(ends) - 1)
            print(run, (end[clock] - start[clock]) / len(paths), end=" ")
        print(flush=True)


def _now() -> tuple[float, float]:
    """Wall-clock time and processor time in seconds."""
    return time.perf_counter(), time.process_time()


if __name__ == "__main__":
    _measure_here(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), one_core=sys.argv[4] == "one core")
