"""``make torture``: try to make imgai lose or spoil something, and print what was tried and what survived.

A tenth of the attempts unless ``FULL=1``. ``SCRATCH`` names the folder for it; with the same one, an interrupted run
goes on where it was, and repeats what went wrong. Needs Linux; full disks need the right to mount.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.torture.child import preload
from benchmarks.torture.disk import Disk
from benchmarks.torture.fuzz import Fuzz
from benchmarks.torture.inputs import RUNS, make_folder
from benchmarks.torture.jpeg import Jpeg
from benchmarks.torture.kill import Kill
from benchmarks.torture.tally import Tally
from benchmarks.torture.together import Together

COUNTS = {
    "kills and signals at random moments": 500,
    "short writes and full disks": 600,
    "damaged JPEGs": 400,
    "several runs into one folder": 100,
    "fuzzed files, in process": 12_000,
    "fuzzed files, whole command": 600,
}


def main() -> int:
    """Run all parts, or those whose names hold one of the words given; 1 if anything did not survive."""
    full, words = os.environ.get("FULL") == "1", sys.argv[1:]
    scratch = Path(os.environ.get("SCRATCH") or tempfile.mkdtemp(prefix="torture-"))
    scratch.mkdir(parents=True, exist_ok=True)
    make_folder(scratch / "warm" / "in")
    preload(RUNS, scratch / "warm")
    kill, disk, jpeg, together, fuzz = (make(scratch) for make in (Kill, Disk, Jpeg, Together, Fuzz))
    parts: list[Callable[[Tally, int], None]] = [
        lambda tally, count: tally.run(count, kill.attempt),
        lambda tally, count: tally.run(count, disk.attempt),
        lambda tally, count: tally.run(count, jpeg.attempt),
        lambda tally, count: tally.run(count, together.attempt),
        fuzz.in_process,
        lambda tally, count: tally.run(count, fuzz.command),
    ]
    lost = 0
    print("| what | attempts | survived | seconds |\n| --- | --- | --- | --- |", flush=True)
    for (name, count), part in zip(COUNTS.items(), parts, strict=True):
        if words and not any(word in name for word in words):
            continue
        tally = Tally(name, scratch / f"{name.replace(' ', '-').replace(',', '')}.jsonl")
        begun = time.monotonic()
        part(tally, count if full else count // 10)
        lost += len(tally.bad)
        seconds = time.monotonic() - begun
        print(f"| {name} | {tally.tried} | {tally.tried - len(tally.bad)} | {seconds:.0f} |", flush=True)
        for number, why in list(tally.bad.items())[:5]:
            print(f"  attempt {number}: {why}", file=sys.stderr)
        for number, why in tally.mended.items():
            print(f"  attempt {number} survived when it was repeated; before: {why}", file=sys.stderr)
    if not disk.mounts:
        print("no right to mount: short writes alone, no full disks", file=sys.stderr)
    print(f"the outcomes are in {scratch}", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
