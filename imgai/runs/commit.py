"""Write a file whole or not at all: beside its place, then renamed into it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from imgai.errors import InputError

_SUFFIX = ".imgai-tmp"


class DiskFull(InputError):
    """Nothing more can be written; the run ends."""


def commit(path: Path, write: Callable[[BinaryIO], object]) -> int:
    """Call `write` with a file that becomes `path` when all is written; return its size in bytes.

    Raises InputError, with the reason, if it cannot be written; then nothing is left of it.
    """
    half = temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with half.open("wb") as file:
                write(file)
                # Not `tell`: some codecs go back to fill in what they left open.
                size = file.seek(0, os.SEEK_END)
            half.replace(path)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise reason(path, error) from error
    return size


def temporary(path: Path, part: str = "") -> Path:
    """A hidden name beside `path` for what becomes it, or for a part of that; `sweep` knows it."""
    distinct = hashlib.sha256(os.fsencode(path.name) + part.encode()).hexdigest()[:16]
    # The process's number tells a later run whether whoever wrote this is still at work.
    return path.with_name(f".{distinct}.{os.getpid()}{_SUFFIX}")


def sweep(folder: Path, *, below: bool = True) -> None:
    """Remove what killed runs left half written in a folder and, unless told otherwise, below it."""
    pattern = f".*{_SUFFIX}"
    for path in folder.rglob(pattern) if below else folder.glob(pattern):
        owner = path.name.removesuffix(_SUFFIX).rpartition(".")[2]
        if not (owner.isdigit() and _is_alive(int(owner))):
            with contextlib.suppress(OSError):  # someone else's, or on Windows still open: it does no harm
                path.unlink()


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False  # a number that came round again: this run has written nothing yet
    if os.name == "nt":
        return False  # there a signal 0 would end the other; what it has open cannot be removed anyway
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def reason(path: Path, error: OSError) -> InputError:
    """Why a file cannot be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        try:
            free = f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB free"
        except OSError:
            free = "no space"
        return DiskFull(
            f"{path} cannot be written: the disk is full ({free})", "make room and run the same command again"
        )
    if error.errno == errno.EFBIG:
        return DiskFull(f"{path} cannot be written: the file would be larger than the system allows", "raise the limit")
    return InputError(f"{path} cannot be written: {error.strerror or error}", "check the output folder")
