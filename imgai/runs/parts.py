"""Intermediate results of each input, stored beside the records until the results of all inputs are merged."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO, TypeVar

from imgai.runs.commit import commit

Folder = TypeVar("Folder", bound=PurePath)


def path_of(folder: Folder, key: str) -> Folder:
    """Where the part of an input lies. key: what tells the input from every other."""
    return folder / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.json"


def write_part(path: Path, value: Any) -> None:
    """Write a value that JSON can hold. Raises InputError if it cannot be written."""
    commit(path, partial(_write, packed(value)))


def packed(value: Any) -> bytes:
    """A value as bytes, with their hash before them, so that a damaged part is known."""
    content = json.dumps(value).encode()
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def unpacked(content: bytes) -> Any:
    """The value in the bytes of a part; None if they are damaged."""
    told, _, content = content.partition(b"\n")
    return json.loads(content) if hashlib.sha256(content).hexdigest().encode() == told else None


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def read_part(path: Path) -> Any:
    """The value in a file; None if the file is missing or damaged."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            return unpacked(file.read()) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None
