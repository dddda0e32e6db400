"""``--log``: a file of all messages, each with the time."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path

from imgai.errors import UsageError

_BEGINS = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
"""The beginning of every line of a log."""
_CALLED = re.compile(r"log|^tmp", re.IGNORECASE)
"""Names of empty files that may become a log."""


class Log:
    """A file that messages are appended to. Several runs may share one."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError if the file is not a log or cannot be written.

        An empty file that was there is one only if it is called so (``x.log``, or as mktemp calls files): anything else
        that is empty has another purpose.
        """
        before = path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            self._file = os.open(path, flags, 0o666)
            status = os.fstat(self._file)
            begin = os.read(self._file, 20) if stat.S_ISREG(status.st_mode) else b""
        except OSError as error:
            raise UsageError(f"--log {path} cannot be written: {error.strerror}", "name another file") from error
        empty = before and stat.S_ISREG(status.st_mode) and not begin
        if (begin and not _BEGINS.match(begin)) or (empty and not _CALLED.search(path.name)):
            os.close(self._file)
            raise UsageError(f"--log {path}: there is such a file, and it is no log of imgai's", "name another file")

    def add(self, text: str) -> bool:
        """Append a line. Returns whether that succeeded."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode("utf-8", "backslashreplace")
        try:
            return os.write(self._file, line) == len(line)
        except OSError:
            return False
