"""Short writes and full disks, over every format and kind: a file is whole, or it is not there and the run says so."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

from benchmarks.torture.child import command
from benchmarks.torture.inputs import RUNS, hashes, left_overs, make_folder


class Disk:
    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "disk"
        make_folder(self._folder / "in")
        self._right: dict[int, dict[str, str]] = {}
        self._sizes: dict[int, list[int]] = {}
        self.mounts = self._mount(64)
        if self.mounts:
            self._umount()

    def _mount(self, kilobytes: int) -> bool:
        out = self._folder / "out"
        out.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(out)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def _umount(self) -> None:
        subprocess.run(["umount", str(self._folder / "out")], check=True)

    def _undisturbed(self, number: int) -> None:
        if number not in self._right:
            shutil.rmtree(self._folder / "out", ignore_errors=True)
            ended = command(list(RUNS[number]), self._folder).wait()
            assert ended.code == 0, ended.words
            self._right[number] = hashes(self._folder / "out")
            paths = [path for path in (self._folder / "out").rglob("*") if path.is_file()]
            self._sizes[number] = [path.stat().st_size for path in paths]

    def attempt(self, chance: random.Random) -> str:
        """A run whose files may not grow beyond a limit, or whose disk is too small for all of them."""
        number = chance.randrange(len(RUNS))
        self._undisturbed(number)
        out, full = self._folder / "out", self.mounts and chance.random() < 0.5
        shutil.rmtree(out, ignore_errors=True)
        try:
            if full:
                size = max(8, int(sum(self._sizes[number]) / 1024 * chance.uniform(0.05, 0.95)) // 4 * 4)
                if not self._mount(size):
                    raise RuntimeError(f"{out} could not be mounted with {size} KB")
                ended = command(list(RUNS[number]), self._folder).wait()
            else:
                # Within the last block of a file is where a part of a write is taken.
                largest = max(1, chance.choice(self._sizes[number]) - chance.choice((1, 7, 100, 511, 3000)))
                ended = command(list(RUNS[number]), self._folder, largest=largest).wait()
            made, hidden = hashes(out), left_overs(out)
        finally:
            if full and out.is_mount():  # else what went wrong is told, not this
                self._umount()
        right = self._right[number]
        what = "a full disk" if full else "short writes"
        if "Traceback" in ended.words:
            return f"a traceback with {what}"
        if ended.code == 0 and made != right:
            return f"exit code 0 with {what}, and not everything is there"
        # A table and coco.json tell of what was done, and are others where something failed.
        of_all = ("coco.json", "labels.csv")
        if wrong := [name for name in made if made[name] != right.get(name) and name not in of_all]:
            return f"half with {what}: {wrong[:3]}"
        return f"left over with {what}: {hidden[:3]}" if hidden else ""
