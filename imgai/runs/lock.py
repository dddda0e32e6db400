"""A lock on an open file between processes and, if the file system supports it, between hosts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PATIENCE = 5.0  # seconds; longer only a process holds it that stands still


@contextlib.contextmanager
def alone(file: BinaryIO) -> Iterator[None]:
    """Hold the lock. Continues without it if the file system has no locks or a stopped process holds it."""
    held = fcntl is not None and _lock(file)
    try:
        yield
    finally:
        if held:
            fcntl.flock(file, fcntl.LOCK_UN)


def _lock(file: BinaryIO) -> bool:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.001)
        except OSError:
            return False
        else:
            return True
