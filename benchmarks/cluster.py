"""Kills of workers and of nodes of a Ray cluster on this machine, for ``python -m benchmarks.scale nodes``."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KILLS = 30
_AGAIN = 8  # commands after which a run that is not whole is given up


@contextlib.contextmanager
def nodes_of(cores: int) -> Iterator[str]:
    """A cluster of one node on this machine: its address."""
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster()
    cluster.add_node(num_cpus=cores, include_dashboard=False)
    try:
        yield str(cluster.address)
    finally:
        cluster.shutdown()


class Torture:
    """A cluster of two nodes of one core each, of which workers and the second node are killed, and come again.

    killed: how often what was.
    """

    def __init__(self, seed: int) -> None:
        from ray.cluster_utils import Cluster

        self._chance = random.Random(seed)
        self._nodes: Any = Cluster()
        self._begun(include_dashboard=False)
        self._second: Any = self._begun()
        self.killed = {"workers": 0, "nodes": 0}

    @property
    def address(self) -> str:
        return str(self._nodes.address)

    def _begun(self, **options: Any) -> Any:
        """A node. Ray gives up after half a minute, which a busy machine may need."""
        for _ in range(30):
            try:
                return self._nodes.add_node(num_cpus=1, **options)
            except Exception as error:
                last = error
        raise last

    def during(self, command: subprocess.Popen[bytes], out: Path) -> None:
        """Kill while a command goes on: in the middle of its work, or at any moment."""
        while command.poll() is None and sum(self.killed.values()) < KILLS:
            there = _count(out)
            until = time.monotonic() + self._chance.uniform(1, 90)
            while command.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
                if _count(out) > there:  # workers are at it: not long after that
                    until = min(until, time.monotonic() + self._chance.uniform(0, 4))
                    there = sys.maxsize
            if command.poll() is None:
                self._kill()
        command.wait()

    def _kill(self) -> None:
        workers = _workers()
        if workers and self._chance.random() < 0.6:
            self._chance.choice(workers).kill()
            self.killed["workers"] += 1
        else:
            self._nodes.remove_node(self._second, allow_graceful=False)
            self.killed["nodes"] += 1
            time.sleep(self._chance.uniform(0, 5))
            self._second = self._begun()
        print("killed", self.killed, flush=True)

    def end(self) -> None:
        self._nodes.shutdown()


def _workers() -> list[Any]:
    import psutil

    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it is gone
            if (each.cmdline() or [""])[0].startswith("ray::MapWorker"):
                found.append(each)
    return found


def _count(out: Path) -> int:
    return sum(1 for _ in out.rglob("*.png"))


def contents(folder: Path) -> dict[str, bytes]:
    """The outputs of a folder, and what was left half written."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix == ".png" or path.name.endswith(".imgai-tmp")
    }


def torture(command: list[str], out: Path, whole: Path, environment: dict[str, str]) -> dict[str, float]:
    """Do runs until `KILLS` things were killed, and compare their outputs with those of a run that was never killed.

    command: without --out. environment: of the nodes and their workers.
    """
    os.environ.update(environment)
    subprocess.run([*command, "--out", str(whole)], check=True)
    truth = contents(whole)
    assert len(set(truth.values())) > 0.9 * len(truth), "outputs that are alike would hide that they were mixed up"
    torn, runs, commands, lost, different, half, left = Torture(0), 0, 0, 0, 0, 0, 0
    os.environ["RAY_ADDRESS"] = torn.address
    try:
        while sum(torn.killed.values()) < KILLS:
            shutil.rmtree(out, ignore_errors=True)
            runs += 1
            for _ in range(_AGAIN):
                commands += 1
                one = subprocess.Popen([*command, "--out", str(out), "--on", "ray", "--workers", "2"])
                torn.during(one, out)
                print("ended", one.returncode, flush=True)
                if one.returncode == 0:
                    break
            made = contents(out)
            lost += len(truth.keys() - made.keys())
            different += sum(made.get(name, content) != content for name, content in truth.items())
            half += sum(name.endswith(".imgai-tmp") for name in made)
            left += len(list((out / ".imgai" / "claims").iterdir()))
            print({"runs": runs, "lost": lost, "different": different, "half": half, "claims": left}, flush=True)
    finally:
        torn.end()
    return {
        **torn.killed, "runs": runs, "commands": commands, "lost": lost, "different": different, "half": half,
        "claims_left": left,
    }  # fmt: skip
