"""``--part 2/8``: the part of the inputs for one worker. Workers need no knowledge of each other."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

from imgai.errors import UsageError


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` parts, numbered from 1. The hash of an input's name determines its part."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def place(self, name: str) -> int:
        """Return the distance from this part to the part of an input; 0 for inputs of this part."""
        value = int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big")
        return (value - (self.number - 1)) % self.count


def part_of(text: str) -> Part:
    """``2/8`` as a part. Raises UsageError."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return Part(int(match[1]), int(match[2]))
    raise UsageError(f"--part {text} is no part", "the second of eight is --part 2/8; the first is 1/8")
