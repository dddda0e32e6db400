"""Kill and interrupt runs at random moments: no file that people see is half, and the next run leaves none hidden."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

from benchmarks.torture.child import command
from benchmarks.torture.inputs import RUNS, hashes, left_overs, make_folder

_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Kill:
    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "kill"
        make_folder(self._folder / "in")
        self._right: dict[int, tuple[float, dict[str, str]]] = {}

    def _undisturbed(self, number: int) -> tuple[float, dict[str, str]]:
        """How long a run takes, and what comes of it."""
        if number not in self._right:
            shutil.rmtree(self._folder / "out", ignore_errors=True)
            ended = command(list(RUNS[number]), self._folder).wait()
            assert ended.code == 0, ended.words
            self._right[number] = ended.seconds, hashes(self._folder / "out")
        return self._right[number]

    def attempt(self, chance: random.Random) -> str:
        """Kill a run, look at what there is; let the next one end, and look again."""
        number = chance.randrange(len(RUNS))
        seconds, right = self._undisturbed(number)
        out = self._folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        child = command(list(RUNS[number]), self._folder)
        time.sleep(chance.uniform(0.02, 1.05) * seconds)
        which = chance.choice(_SIGNALS)
        child.kill(which)
        ended = child.wait()
        if "Traceback" in ended.words:
            return f"a traceback after {which.name}"
        if which is not signal.SIGKILL and ended.code not in (0, 130):
            return f"exit code {ended.code} after {which.name}"
        early = hashes(out)
        # A table and coco.json are of what was done by then, and are made once more at the end of the next run.
        of_all = ("coco.json", "labels.csv")
        if wrong := [name for name, value in early.items() if right.get(name) != value and name not in of_all]:
            return f"half or wrong after {which.name}: {wrong[:3]}"
        ended = command(list(RUNS[number]), self._folder).wait()
        if ended.code != 0:
            return f"the next run ended with {ended.code}: {ended.words[-200:]}"
        if hashes(out) != right:
            return "the next run did not make everything"
        return f"left over: {left_overs(out)[:3]}" if left_overs(out) else ""
