"""Read files that a run needs before it starts, with limits for size and time."""

from __future__ import annotations

import os
import select
import stat
import time
from pathlib import Path

LONGEST = 60.0
"""The time limit for a pipe to send data, in seconds."""


class TooMuch(OSError):
    """The file has the wrong type, is too large, or is a pipe that sends nothing."""

    def __init__(self, why: str) -> None:
        super().__init__(0, why)


def read_bytes(path: str | Path, most: int) -> bytes:
    """Return the content of a file or a named pipe (such as ``<(...)``). Raises OSError; devices are refused.

    most: the maximum number of bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise TooMuch("it is no file")
        parts: list[bytes] = []
        size, end = 0, time.monotonic() + LONGEST
        while True:
            if stat.S_ISFIFO(mode):
                left = end - time.monotonic()
                if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                    raise TooMuch(f"nothing came for {LONGEST:.0f} seconds")
            try:
                part = os.read(descriptor, 1 << 20)
            except BlockingIOError:
                continue
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            end = time.monotonic() + LONGEST
            if size > most:
                raise TooMuch(f"it has more than {most >> 20} MB")
    finally:
        os.close(descriptor)
