"""Intermediate results of each input, stored beside the records until the results of all inputs are merged."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from imgai.runs.commit import commit


def path_of(folder: Path, key: str) -> Path:
    """Where the part of an input lies. key: what tells the input from every other."""
    return folder / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.json"


def write_part(path: Path, value: Any) -> None:
    """Store a JSON-able value. Raises InputError if it cannot be written."""
    commit(path, partial(_write, json.dumps(value).encode()))


def _write(content: bytes, file: BinaryIO) -> None:
    """The content with its hash before it, so that a damaged part is known."""
    file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def read_part(path: Path) -> Any:
    """Return the stored value; None if it does not exist or is damaged."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            told, _, content = file.read().partition(b"\n")
    except OSError:
        return None
    return json.loads(content) if hashlib.sha256(content).hexdigest().encode() == told else None
