"""Write files atomically: under a temporary name in the same folder, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from imgai import hidden
from imgai.errors import InputError


class DiskFull(InputError):
    """The disk is full; the run ends."""


@dataclass(frozen=True, slots=True)
class Written:
    """A written file: size in bytes, hash of its content, and times in nanoseconds.

    time: of its content, which programs can set. ctime: of all that the file system knows of it, which they cannot; 0
    where it is not known.
    """

    size: int
    sha256: str
    time: int
    ctime: int = 0


def commit(path: Path, write: Callable[[BinaryIO], object], *, exclusive: bool = False) -> Written:
    """Call `write` with a file that becomes `path` when all is written and checked.

    exclusive: never replace a file.
    Raises FileExistsError if `exclusive` and there is one, and InputError, with the reason, if the file cannot be
    written; then nothing is left of it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file, half = hidden.create(path.parent)
        try:
            with file:
                checked = _Checked(file)
                write(cast("BinaryIO", checked))
                size, sha256 = checked.finish()
            time = half.stat().st_mtime_ns
            if exclusive:
                _rename_exclusively(half, path)
            else:
                half.replace(path)
            written = Written(size, sha256, time, _ctime(path))
        except BaseException:
            with contextlib.suppress(OSError):
                half.unlink(missing_ok=True)
            raise
        finally:
            hidden.forget(half)
    except FileExistsError:
        if exclusive:
            raise
        raise InputError(f"{path} cannot be written: a file is in the place of its folder") from None
    except OSError as error:
        raise reason(path, error) from error
    return written


def _ctime(path: Path) -> int:
    """When a file, which has just got its name, was last changed in any way."""
    try:
        return path.lstat().st_ctime_ns
    except OSError:  # it is gone again
        return 0


def _rename_exclusively(half: Path, path: Path) -> None:
    """Rename without replacing. Raises FileExistsError if the file exists, even if it was created just now."""
    try:
        os.link(half, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: reserve the name, then replace what reserves it
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        half.replace(path)
    else:
        half.unlink()


class _Checked(io.BufferedIOBase):
    """A file whose every write is checked, and whose content is hashed while it is written.

    It has no descriptor to give away: Pillow and others would write to that themselves, and ignore how much of it was
    written.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._hash: Any = hashlib.sha256()
        self._end = 0  # how much was written in order, without going back

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        if self._hash is not None:
            if self._file.tell() == self._end:
                self._hash.update(content)
            else:
                self._hash = None  # an encoder went back, to fill in what it had left open
        size = self._file.write(content)  # all of it, or OSError
        self._end += size
        return size

    def read(self, size: int | None = -1) -> bytes:
        return self._file.read(-1 if size is None else size)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        self._hash = None
        return self._file.truncate(size)

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Encoders close what they are given; the file stays open until it is checked."""
        self.flush()

    def finish(self) -> tuple[int, str]:
        """The size and the hash of what is in the file. Raises OSError if it is not what was written."""
        self._file.flush()
        size = self._file.seek(0, os.SEEK_END)
        there = os.fstat(self._file.fileno()).st_size
        if there != size or (self._hash is not None and there != self._end):
            raise OSError(errno.EIO, f"{there} bytes of {max(size, self._end)} are in the file")
        if self._hash is None:
            self._file.seek(0)
            self._hash = hashlib.sha256()
            while block := self._file.read(1 << 20):
                self._hash.update(block)
        return size, str(self._hash.hexdigest())


def hash_of(path: Path) -> str:
    """The hash of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
