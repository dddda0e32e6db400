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
            shutil.rmtree(self._right_folder(number), ignore_errors=True)  # of an earlier version
            shutil.copytree(self._folder / "out", self._right_folder(number))
        return self._right[number]

    def _right_folder(self, number: int) -> Path:
        return self._folder / "right" / str(number)

    def _differing(self, right: dict[str, str], number: int, there: dict[str, str]) -> str:
        """Name the files that differ, and keep both versions of each. there: the files to look at, by their content."""
        names = [name for name in sorted({*right, *there}) if there.get(name) != right.get(name)]
        kept = self._folder / "wrong" / str(time.time_ns())
        for name in names:
            for version, folder in (("right", self._right_folder(number)), ("wrong", self._folder / "out")):
                if (folder / name).exists():
                    (kept / version / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(folder / name, kept / version / name)
        return f"{names[:3]}, kept in {kept}"

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
            return f"a traceback after {which.name}: {ended.words[-600:]}"
        if which is not signal.SIGKILL and ended.code not in (0, 130):
            return f"exit code {ended.code} after {which.name}"
        early = hashes(out)
        # A table and coco.json are of what was done by then, and are made once more at the end of the next run.
        of_all = ("coco.json", "labels.csv")
        if wrong := {name: value for name, value in early.items() if right.get(name) != value and name not in of_all}:
            those = {name: right[name] for name in wrong if name in right}
            return f"half or wrong after {which.name}: {self._differing(those, number, wrong)}"
        ended = command(list(RUNS[number]), self._folder).wait()
        if ended.code != 0:
            return f"the next run ended with {ended.code}: {ended.words[-200:]}"
        if (there := hashes(out)) != right:
            return f"the next run did not make the same: {self._differing(right, number, there)}"
        return f"left over: {left_overs(out)[:3]}" if left_overs(out) else ""
