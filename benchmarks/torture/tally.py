"""What was tried and what of it survived: kept in a file after every attempt, so that a long run can go on."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Tally:
    """The attempts of one part. bad: by attempt, what went wrong. mended: the same, of those that survived later.

    A run that goes on repeats what went wrong before; the file keeps both outcomes.
    """

    name: str
    path: Path
    tried: int = 0
    bad: dict[int, str] = field(default_factory=dict)
    mended: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                self._count(*json.loads(line))

    def run(self, count: int, attempt: Callable[[random.Random], str]) -> None:
        """Try until there are so many attempts. attempt: returns what went wrong; "" if nothing did."""
        for number, chance in self.left(count):
            self.note(number, attempt(chance))

    def left(self, count: int) -> Iterator[tuple[int, random.Random]]:
        """The attempts that are still to do, and before them what went wrong; each is the same whenever it is done."""
        for number in (*self.bad, *range(self.tried, count)):
            yield number, random.Random(f"{self.name} {number}")

    def note(self, number: int, why: str) -> None:
        """Keep the outcome of an attempt."""
        self._count(number, why)
        with self.path.open("a") as file:
            file.write(json.dumps([number, why]) + "\n")

    def _count(self, number: int, why: str) -> None:
        self.tried = max(self.tried, number + 1)
        if why:
            self.bad[number] = why
        elif number in self.bad:
            self.mended[number] = self.bad.pop(number)
