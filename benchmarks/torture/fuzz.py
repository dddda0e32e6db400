"""Files with random damage, read in process and by the whole command: no crash, no hang, no hunger."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from benchmarks.torture.child import HANG, Child, command
from benchmarks.torture.inputs import make_folder
from benchmarks.torture.tally import Tally

_SECONDS = 10.0  # of processor time for a file; what hangs without any is ended by `Child.wait`
_MEMORY = 1 << 30
_AT_ONCE = 25  # files that one process reads


class Fuzz:
    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "fuzz"
        make_folder(self._folder / "seeds", side=48)
        self._seeds = sorted((self._folder / "seeds").iterdir())

    def in_process(self, tally: Tally, count: int) -> None:
        """Read files with the host's reader, several in one process; one that dies is known by what it read last."""
        numbers = list(tally.left(count))
        while numbers:
            batch, numbers = numbers[:_AT_ONCE], numbers[_AT_ONCE:]
            mark = self._folder / "mark"
            mark.write_text("-1")
            child = Child(lambda: self._read([chance for _, chance in batch], mark), self._folder / "words")  # noqa: B023
            ended = child.wait()
            done = int(mark.read_text() or -1) + 1
            why = ""
            if ended.code == HANG or ended.processor > _SECONDS * 3:
                why = f"it hung, or took {ended.processor:.0f} s"
            elif ended.code:
                why = f"exit code {ended.code}: {ended.words[-200:]}"
            elif ended.memory > _MEMORY:
                why = f"{ended.memory >> 20} MB"
            good = len(batch) if not why else min(done, len(batch) - 1)
            for number, _ in batch[:good]:
                tally.note(number, "")
            if why:
                tally.note(batch[good][0], why)
                numbers = batch[good + 1 :] + numbers

    def _read(self, chances: list[random.Random], mark: Path) -> None:
        from imgai.errors import ImgaiError
        from imgai.images import read
        from imgai.sample import Source

        path = self._folder / "damaged"
        for number, chance in enumerate(chances):
            path.write_bytes(self._damaged(chance))
            try:
                for _ in zip(range(50), read(path, Source(path, path.name)), strict=False):
                    pass
            except ImgaiError as error:
                if "\n" in str(error):
                    raise
            mark.write_text(str(number))

    def command(self, chance: random.Random) -> str:
        """A folder of damaged files through a command."""
        folder = self._folder / "in"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self._folder / "out", ignore_errors=True)
        folder.mkdir()
        for number in range(5):
            seed = chance.choice(self._seeds)
            (folder / f"{number}{seed.suffix}").write_bytes(self._damaged(chance, seed))
        ended = command(["enhance", "in", "--out", "out"], self._folder).wait()
        if ended.code not in (0, 1) or "Traceback" in ended.words:
            return f"exit code {ended.code}: {ended.words[-200:]}"
        if ended.processor > _SECONDS * 5:
            return f"{ended.processor:.0f} s"
        return f"{ended.memory >> 20} MB" if ended.memory > _MEMORY else ""

    def _damaged(self, chance: random.Random, seed: Path | None = None) -> bytes:
        """Bits flipped, bytes set to what is often a limit, parts cut, doubled or taken from another file."""
        content = bytearray((seed or chance.choice(self._seeds)).read_bytes())
        for _ in range(chance.choice((1, 2, 5, 20))):
            place = (
                chance.randrange(len(content)) if chance.random() < 0.5 else chance.randrange(min(200, len(content)))
            )
            how = chance.randrange(6)
            if how == 0:
                content[place] ^= 1 << chance.randrange(8)
            elif how == 1:
                content[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            elif how == 2:
                content[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"))
            elif how == 3:
                del content[place : place + chance.choice((1, 4, 100))]
            elif how == 4:
                content[place:place] = content[place : place + chance.choice((1, 8, 64))]
            else:
                other = chance.choice(self._seeds).read_bytes()
                content[place : place + 16] = other[place % len(other) :][:16]
            if len(content) < 8:
                break
        return bytes(content[: chance.randrange(8, len(content) + 1)] if chance.random() < 0.1 else content) or b"\0"
