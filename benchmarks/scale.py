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

from PIL import Image

from benchmarks.meter import Cost, cost

ROOT = Path(__file__).resolve().parent.parent
TIMES, FILES = 3, 1_000_000
_PHOTOGRAPHS = ("astronaut", "cat", "cup")
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
from imgai.runs.cluster import Cluster
from imgai.runs.run import Loaded
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
handed_out = len(sys.argv) > 3
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with contextlib.ExitStack() as stack:
    run = Run([spec], RunOptions(inputs=("s3://bucket/scans",), out=Path(sys.argv[2]), on="ray" if handed_out else None,
              outputs=OutputOptions(named_kinds("mask"))), Console(quiet=True))
    begun, there = most(), 0.0
    jobs, skipped, count = run._planned(stack)
    if handed_out:
        cluster = Cluster(run.options, run.console)
        ask = cluster._ask
        cluster._ask = lambda method, *about: None if method == "begin" else ask(method, *about)
        cluster.join()
        begun = most()
        cluster.begin(jobs, run.records, run.specs, Run, Loaded)
        there = cluster._ask("__ray_call__", lambda coordinator: most())
        cluster.end(None)
    else:
        for job in jobs:
            assert not job.before
print(count, begun, most(), there)
"""


def pictures(folder: Path, count: int, size: tuple[int, int] = (320, 240)) -> Path:
    """Parts of imgai's sample photographs, no two alike, so that no two masks are."""
    if len(list(folder.glob("*/*.jpg"))) == count:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    chance = random.Random(0)
    photographs = [Image.open(ROOT / "imgai/samples" / f"{name}.jpg").convert("RGB") for name in _PHOTOGRAPHS]
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        width = min(photograph.width, photograph.height * size[0] / size[1]) * chance.uniform(0.5, 1)
        height = width * size[1] / size[0]
        left, top = chance.uniform(0, photograph.width - width), chance.uniform(0, photograph.height - height)
        path = folder / f"{number % 10}" / f"{number:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        box = (left, top, left + width, top + height)
        photograph.resize(size, Image.Resampling.BICUBIC, box).save(path, quality=90)
    return folder


@contextmanager
def server() -> Iterator[tuple[str, int]]:
    """An S3 server on this machine: the address of a bucket in it, and its process."""
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
        yield "s3://bucket", child.pid
        child.kill()


def upload(folder: Path, address: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from imgai.stores import open_store

    store, paths = open_store(address), sorted(folder.rglob("*.jpg"))
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda path: store.replace(path.relative_to(folder).as_posix(), path), paths))


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "imgai.cli.main", "segment", *map(str, words), "--quiet"]


def seconds(*words: object, root: Path = ROOT, beside: tuple[int, ...] = ()) -> Cost:
    """Of a whole command, its start included. root: the checkout that is measured, with its plugins.

    beside: see `cost`.
    """
    paths = [root, *sorted(root.glob("plugins/*/src"))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "2"}
    found = cost(command(*words), environment, Path(tempfile.gettempdir()), beside=beside)
    print("  ", *words, f"{found.clock:.1f} s, {found.cpu:.1f} s of cores", flush=True)
    return found


def compared(name: str, pairs: list[tuple[Cost, Cost]]) -> dict[str, float]:
    """How fast the second of each pair is, as a part of the first: by the clock, and by the seconds of cores."""
    return {
        name: statistics.median(first.clock / second.clock for first, second in pairs),
        f"{name}_in_cores": statistics.median(first.cpu / second.cpu for first, second in pairs),
    }


def local(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """A folder on disk now, against the sources of before."""
    if before is None:
        return {}
    source, pairs = pictures(scratch / "small", count), []
    for number in range(TIMES):
        times = {}
        for name, root in (("before", before), ("now", ROOT)) if number % 2 else (("now", ROOT), ("before", before)):
            out = scratch / f"out-{name}"
            shutil.rmtree(out, ignore_errors=True)
            times[name] = seconds(source, "--out", out, root=root)
        pairs.append((times["before"], times["now"]))
    return compared("of_before", pairs)


def store(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """From a store to a store, against from disk to disk."""
    source, pairs = pictures(scratch / "small", count), []
    with server() as (bucket, process):
        upload(source, f"{bucket}/in")
        for number in range(TIMES):
            shutil.rmtree(scratch / "out", ignore_errors=True)
            disk = seconds(source, "--out", scratch / "out", beside=(process,))
            pairs.append((disk, seconds(f"{bucket}/in", "--out", f"{bucket}/out-{number}", beside=(process,))))
    return compared("of_disk", pairs)


def ray(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """Two workers of a cluster that is started for it, against one process; start and end included."""
    source, pairs = pictures(scratch / "small", count), []
    for _ in range(TIMES):
        shutil.rmtree(scratch / "out", ignore_errors=True)
        alone = seconds(source, "--out", scratch / "out")
        shutil.rmtree(scratch / "out", ignore_errors=True)
        pairs.append((alone, seconds(source, "--out", scratch / "out", "--on", "ray", "--workers", 2)))
    return compared("of_one_process", pairs)


def joined(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """The same by a cluster that is there before; by the clock alone, since its own processes go on."""
    from benchmarks.cluster import nodes_of

    source, ratios = pictures(scratch / "small", count), []
    os.environ.update(_of_workers())
    with nodes_of(2) as address:
        for _ in range(TIMES):
            clocks = []
            for words in ((), ("--on", "ray", "--workers", 2)):
                os.environ["RAY_ADDRESS"] = address
                shutil.rmtree(scratch / "out", ignore_errors=True)
                clocks.append(seconds(source, "--out", scratch / "out", *words).clock)
            ratios.append(clocks[0] / clocks[1])
    return {"of_one_process": statistics.median(ratios)}


def _of_workers() -> dict[str, str]:
    """What the processes of a cluster have in their environment, so that they run these sources."""
    paths = [ROOT, *sorted(ROOT.glob("plugins/*/src"))]
    return {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}


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


def nodes(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """Workers and nodes of a Ray cluster that are killed at random moments; its runs go on, or the command again."""
    from benchmarks.cluster import torture

    for folder in (scratch / "out", scratch / "whole"):
        shutil.rmtree(folder, ignore_errors=True)
    source = pictures(scratch / "small", count)
    return torture(command(source), scratch / "out", scratch / "whole", _of_workers())


def twice(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """The same command twice at once, over one folder: inputs that both have done, so that one replaced the other."""
    source, out = pictures(scratch / "small", count), scratch / "out"
    shutil.rmtree(out, ignore_errors=True)
    words = [*command(source, "--out", out), "--json"]
    told = [scratch / f"told-{number}.jsonl" for number in range(2)]  # no pipes: they fill up while nobody reads
    pair = [subprocess.Popen(words, stdout=path.open("w")) for path in told]
    assert [child.wait() for child in pair] == [0, 0]
    own = [sum(json.loads(line)["status"] == "done" for line in path.open()) for path in told]
    lines = map(json.loads, (out / ".imgai" / "records.jsonl").open())
    done = Counter(record["path"] for record in lines if record["status"] == "done")
    twice = sum(number > 1 for number in done.values())
    return {"inputs": len(done), "by_one": min(own), "by_the_other": max(own), "done_twice": twice}


def memory(scratch: Path, count: int, before: Path | None, *more: str) -> dict[str, float]:
    """Of the process that lists and plans many files of a store, in MB."""
    command = [sys.executable, "-c", MEMORY, str(FILES), str(scratch / "memory"), *more]
    begun = time.perf_counter()
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    took = time.perf_counter() - begun
    names = ("files", "before_mb", "most_mb", "coordinator_mb")
    return {**dict(zip(names, map(float, answer), strict=True)), "seconds": took}


def driver(scratch: Path, count: int, before: Path | None) -> dict[str, float]:
    """The same, with every row handed to the coordinator of a cluster; and of that."""
    return memory(scratch, count, before, "on ray")


MEASURES: dict[str, Callable[[Path, int, Path | None], dict[str, float]]] = {
    "local": local, "store": store, "ray": ray, "joined": joined, "kills": kills, "nodes": nodes, "twice": twice,
    "memory": memory, "driver": driver,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    os.environ["RAY_ADDRESS"] = "local"  # not one that others have here
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], help="what to measure; everything by default")
    parser.add_argument("--count", type=int, default=2000, help="small pictures")
    parser.add_argument("--before", type=Path, help="a checkout to compare a folder on disk with")
    parser.add_argument("--scratch", type=Path, help="a folder for pictures and masks; a temporary one by default")
    parser.add_argument("--times", type=int, default=TIMES, help="pairs of runs that are compared")
    parser.add_argument("--files", type=int, default=FILES, help="of the store that is listed")
    arguments = parser.parse_args()
    globals().update(TIMES=arguments.times, FILES=arguments.files)
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.names or MEASURES:
            found: dict[str, Any] = MEASURES[name](
                arguments.scratch or Path(temporary), arguments.count, arguments.before
            )
            print(name, *(f"{key} {value:.3f}" for key, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
