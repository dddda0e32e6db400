"""Several runs at once into one folder: each ends well, and nothing of any is lost."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from benchmarks.torture.child import command
from benchmarks.torture.inputs import RUNS, hashes, left_overs, make_folder


class Together:
    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "together"
        make_folder(self._folder / "in")
        make_folder(self._folder / "other", seed=50)
        self._right: dict[int, dict[str, str]] = {}

    def attempt(self, chance: random.Random) -> str:
        """The same command three times at once, or two sorting files of one name into one folder."""
        return self._same(chance) if chance.random() < 0.5 else self._sort()

    def _same(self, chance: random.Random) -> str:
        number, out = chance.randrange(len(RUNS)), self._folder / "out"
        if number not in self._right:
            shutil.rmtree(out, ignore_errors=True)
            assert command(list(RUNS[number]), self._folder).wait().code == 0
            self._right[number] = hashes(out)
        shutil.rmtree(out, ignore_errors=True)
        children = [command(list(RUNS[number]), self._folder) for _ in range(3)]
        ended = [child.wait() for child in children]
        if any(each.code for each in ended):
            return f"exit codes {[each.code for each in ended]}: {ended[-1].words[-200:]}"
        if hashes(out) != self._right[number]:
            return "not everything is there"
        return f"left over: {left_overs(out)[:3]}" if left_overs(out) else ""

    def _sort(self) -> str:
        out = self._folder / "sorted"
        shutil.rmtree(out, ignore_errors=True)
        children = [command(["classify", name, "--sort-into", "sorted"], self._folder) for name in ("in", "other")]
        if codes := [code for child in children if (code := child.wait().code)]:
            return f"exit codes {codes}"
        given = {*hashes(self._folder / "in").values(), *hashes(self._folder / "other").values()}
        return "" if set(hashes(out).values()) == given else "a file was lost"
