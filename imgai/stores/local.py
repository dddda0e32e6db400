"""A folder as a store."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from imgai import hidden
from imgai.stores.base import Entry

_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class LocalStore:
    """A folder and all that is below it. Links are never followed for writing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`; in the order of names within a folder."""
        stack = [self.root / prefix]
        while stack:
            folder = stack.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            stack += [Path(entry.path) for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
            for entry in entries:
                if entry.is_file() and not entry.name.endswith(hidden.SUFFIX):
                    yield _entry(Path(entry.path).relative_to(self.root).as_posix(), entry.stat())

    def look(self, key: str) -> Entry:
        """See `Store`."""
        status = (self.root / key).stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(key)
        return _entry(key, status)

    def read(self, key: str, begin: int = 0, size: int | None = None) -> bytes:
        """See `Store`."""
        descriptor = os.open(self.root / key, os.O_RDONLY | _SAFE)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileNotFoundError(key)
            file.seek(begin)
            return file.read(-1 if size is None else size)

    def fetch(self, key: str, path: Path) -> None:
        """See `Store`."""
        shutil.copyfile(self.root / key, path)

    def put_new(self, key: str, content: bytes) -> bool:
        """See `Store`. It is whole when it appears; where there are no hard links, a kill may leave it empty."""
        path = self.root / key
        if os.path.lexists(path):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        file, half = hidden.create(path.parent)
        try:
            with file:
                file.write(content)
            os.link(half, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            return self._put_new(path, content)
        finally:
            half.unlink(missing_ok=True)
            hidden.forget(half)
        return True

    def _put_new(self, path: Path, content: bytes) -> bool:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o666)
        except FileExistsError:
            return False
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError:  # a full disk
            path.unlink(missing_ok=True)
            raise
        return True

    def replace(self, key: str, content: bytes | Path) -> None:
        """See `Store`."""
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        file, half = hidden.create(path.parent)
        try:
            with file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file)
            half.replace(path)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        finally:
            hidden.forget(half)

    def delete(self, key: str) -> None:
        """See `Store`."""
        (self.root / key).unlink(missing_ok=True)

    def delete_all(self, keys: Sequence[str]) -> None:
        """See `Store`."""
        for key in keys:
            self.delete(key)


def _entry(key: str, status: os.stat_result) -> Entry:
    return Entry(key, status.st_size, status.st_mtime, f"{status.st_size}-{status.st_mtime_ns}")
