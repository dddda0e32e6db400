"""Time and CPU seconds of a command and of all processes that it starts, for machines that do other work, too."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: children of children that end stay below this process
_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock, and of all cores together."""

    clock: float
    cpu: float


def cost(command: list[str], environment: dict[str, str], folder: Path, *, beside: tuple[int, ...] = ()) -> Cost:
    """Run a command to its end. beside: processes that are not counted. Raises CalledProcessError."""
    import psutil

    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    used: dict[tuple[int, float], float] = {}
    over = threading.Event()
    begun = time.perf_counter()
    child = subprocess.Popen(command, env=environment, cwd=folder)

    def look() -> None:
        for each in psutil.Process().children(recursive=True):
            try:
                if each.pid != child.pid and each.pid not in beside:
                    times = each.cpu_times()
                    used[each.pid, each.create_time()] = times.user + times.system
            except psutil.Error:
                continue

    def watch() -> None:
        while not over.wait(_EVERY):
            look()

    watching = threading.Thread(target=watch)
    watching.start()
    _, status, own = os.wait4(child.pid, 0)
    clock = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    over.set()
    watching.join()
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Cost(clock, own.ru_utime + own.ru_stime + sum(used.values()))
