"""What docs/scale.md says in numbers: stores, clusters, kills, two runs at once, memory.

python -m benchmarks.scale [NAME ...] [--count N] [--before FOLDER]; needs imgai[ray,stores] and moto[s3,server].
Everything that is compared runs alternately, and the medians of the ratios are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SERVER = """
import logging, sys, time
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from moto.server import ThreadedMotoServer
ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False).start()
while True:
    time.sleep(60)
"""
MEMORY = """
import contextlib, resource, sys
from pathlib import Path
from imgai.console import Console
from imgai.options import OutputOptions, RunOptions
from imgai.predict.spec import StepSpec
from imgai.registry import load_registry
from imgai.runs import Run, remote
from imgai.stores import Entry
from imgai.testing.kinds import named_kinds

class Fake:
    def list(self, prefix=""):
        for number in range(int(sys.argv[1])):
            key = f"scan-{number // 1000:04d}/slice-{number:07d}.jpg"
            yield Entry(key, 100_000 + number, 1.7e9, f'"{number:032x}"')
    def look(self, key):
        raise FileNotFoundError(key)

remote.Listing.__init__.__kwdefaults__["open_"] = lambda address: Fake()
registry = load_registry()
spec = StepSpec(registry.task("segment"), registry.model("segment", "subject"))
with contextlib.ExitStack() as stack:
    run = Run([spec], RunOptions(inputs=("s3://bucket/scans",), out=Path(sys.argv[2]),
              outputs=OutputOptions(named_kinds("mask"))), Console(quiet=True))
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    jobs, skipped, count = run._planned(stack)
    for job in jobs:
        assert not job.before
print(count, begun / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def pictures(folder: Path, count: int, size: tuple[int, int] = (320, 240)) -> Path:
    """Small photographs of noise and edges."""
    if len(list(folder.glob("*/*.jpg"))) == count:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    random_ = np.random.default_rng(0)
    for number in range(count):
        coarse = random_.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        path = folder / f"{number % 10}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
    return folder


@contextmanager
def server() -> Iterator[str]:
    """An S3 server on this machine, with the address of a bucket in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    os.environ |= {**settings, "AWS_ENDPOINT": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true"}
    with subprocess.Popen([sys.executable, "-c", SERVER, str(port)], stderr=subprocess.DEVNULL) as child:
        for _ in range(240):
            try:
                urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT"))
                break
            except OSError:
                time.sleep(0.25)
        yield "s3://bucket"
        child.kill()


def upload(folder: Path, address: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from imgai.stores import open_store

    store, paths = open_store(address), sorted(folder.rglob("*.jpg"))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda path: store.replace(path.relative_to(folder).as_posix(), path), paths))


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "imgai.cli.main", "segment", *map(str, words), "--quiet"]


def seconds(*words: object, root: Path = ROOT) -> float:
    """Of a whole command, its start included. root: the checkout that is measured, with its plugins."""
    paths = [root, *sorted(root.glob("plugins/*/src"))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "2"}
    begun = time.perf_counter()
    subprocess.run(command(*words), check=True, env=environment, cwd=tempfile.gettempdir())
    return time.perf_counter() - begun


def local(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """A folder on disk now, against the sources of before."""
    if before is None:
        return {}
    source, ratios = pictures(scratch / "small", count), []
    for number in range(3):
        times = {}
        for name, root in (("before", before), ("now", ROOT)) if number % 2 else (("now", ROOT), ("before", before)):
            out = scratch / f"out-{name}"
            shutil.rmtree(out, ignore_errors=True)
            times[name] = seconds(source, "--out", out, root=root)
        ratios.append(times["before"] / times["now"])
    return {"of_before": statistics.median(ratios)}


def store(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """From a store to a store, against from disk to disk."""
    source, ratios = pictures(scratch / "small", count), []
    with server() as bucket:
        upload(source, f"{bucket}/in")
        for number in range(3):
            shutil.rmtree(scratch / "out", ignore_errors=True)
            disk = seconds(source, "--out", scratch / "out")
            remote = seconds(f"{bucket}/in", "--out", f"{bucket}/out-{number}")
            ratios.append(disk / remote)
    return {"of_disk": statistics.median(ratios), "pictures_a_second": count / remote}


def ray(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """Two workers of a cluster that is started for it, against one process; start and end included."""
    source, ratios = pictures(scratch / "small", count), []
    for _ in range(3):
        shutil.rmtree(scratch / "out", ignore_errors=True)
        alone = seconds(source, "--out", scratch / "out")
        shutil.rmtree(scratch / "out", ignore_errors=True)
        ratios.append(alone / seconds(source, "--out", scratch / "out", "--on", "ray", "--workers", 2))
    return {"of_one_process": statistics.median(ratios)}


def kills(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """Job arrays of two whose processes are killed at random moments, until all is done."""
    source, out = pictures(scratch / "small", count), scratch / "out"
    for folder in (out, scratch / "whole"):
        shutil.rmtree(folder, ignore_errors=True)
    seconds(source, "--out", scratch / "whole")
    chance, killed = random.Random(0), 0
    for attempt in range(30):
        words = [source, "--out", out, "--part", f"{attempt % 2 + 1}/2", "--steal"]
        pair = [
            subprocess.Popen(command(*words)),
            subprocess.Popen(command(*words[:-2], f"{2 - attempt % 2}/2", "--steal")),
        ]
        time.sleep(chance.uniform(2, 12))
        for child in pair[: 1 + attempt % 2]:
            killed += child.poll() is None
            child.send_signal(signal.SIGKILL)
        for child in pair:
            child.wait()
        if killed >= 30:
            break
        if attempt % 6 == 5:
            shutil.rmtree(out)
    seconds(source, "--out", out)
    whole, again = (
        {p.relative_to(f).as_posix(): p.read_bytes() for p in f.rglob("*.png")} for f in (scratch / "whole", out)
    )
    hidden = [path for path in out.rglob("*") if path.name.endswith(".imgai-tmp")]
    return {
        "kills": killed,
        "lost": len(whole.keys() - again.keys()),
        "different": sum(again.get(name) != content for name, content in whole.items() if name in again),
        "left_over": len(hidden) + len(list((out / ".imgai" / "claims").iterdir())),
    }


def twice(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """The same command twice at once, by files whose names were given twice."""
    source, out = pictures(scratch / "small", count), scratch / "out"
    shutil.rmtree(out, ignore_errors=True)
    pair = [subprocess.Popen(command(source, "--out", out)) for _ in range(2)]
    assert [child.wait() for child in pair] == [0, 0]
    lines = map(json.loads, (out / ".imgai" / "records.jsonl").open())
    done = Counter(record["path"] for record in lines if record["status"] == "done")
    return {"inputs": len(done), "done_twice": sum(number > 1 for number in done.values())}


def memory(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """Of the process that lists and plans a million files of a store, in MB."""
    command = [sys.executable, "-c", MEMORY, "1000000", str(scratch / "memory")]
    begun = time.perf_counter()
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    took = time.perf_counter() - begun
    return {"files": float(answer[0]), "before_mb": float(answer[1]), "most_mb": float(answer[2]), "seconds": took}


MEASURES: dict[str, Callable[[Path, int, Path | None], dict[str, float]]] = {
    "local": local, "store": store, "ray": ray, "kills": kills, "twice": twice, "memory": memory,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], help="what to measure; everything by default")
    parser.add_argument("--count", type=int, default=2000, help="small pictures")
    parser.add_argument("--before", type=Path, help="a checkout to compare a folder on disk with")
    parser.add_argument("--scratch", type=Path, help="a folder for pictures and masks; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.names or MEASURES:
            found: dict[str, Any] = MEASURES[name](
                arguments.scratch or Path(temporary), arguments.count, arguments.before
            )
            print(name, *(f"{key} {value:.3f}" for key, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
