"""Start the command many times without importing torch each time: everything is imported once, then forked."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from imgai.errors import EXIT_INTERRUPTED

HANG = 124
"""The exit code of a child that took too long."""


@dataclass(frozen=True)
class Ended:
    """code: as a shell has it; memory: bytes that the child took beyond what it was forked with.

    processor: seconds of processor time, which do not depend on what else the machine does.
    """

    code: int
    words: str
    seconds: float
    memory: int
    processor: float


class Child:
    """A fork of this process that does some work, its words in a file."""

    def __init__(self, work: Callable[[], object], words: Path) -> None:
        self._words = words
        self._begun = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self._before = _resident()
        self.pid = os.fork()
        if self.pid == 0:
            _be(work, words)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal; it may have ended by then."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self, seconds: float = 900) -> Ended:
        """Wait for its end; kill it if that does not come. On a machine that others use too, a run may take minutes."""
        end, hung = time.monotonic() + seconds, False
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end and not hung:
                hung = True
                self.kill(signal.SIGKILL)
            time.sleep(0.005)
        code = HANG if hung else os.waitstatus_to_exitcode(status)
        words = self._words.read_text(errors="replace") if self._words.exists() else ""
        memory = max(0, usage.ru_maxrss * 1024 - self._before)
        seconds, processor = time.monotonic() - self._begun, usage.ru_utime + usage.ru_stime
        return Ended(128 - code if code < 0 else code, words, seconds, memory, processor)


def command(words: list[str], folder: Path, *, largest: int | None = None) -> Child:
    """Start ``imgai`` in a folder. largest: bytes that a file may have."""

    def work() -> None:
        os.chdir(folder)
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        sys.argv = ["imgai", *words]
        from imgai.cli.entry import main

        main()

    return Child(work, folder.parent / f"{folder.name}.words")


def preload() -> None:
    """Import what the commands need, and start no thread: a fork would not have it."""
    import imgai_classify
    import imgai_enhance
    import imgai_segment
    import scipy.ndimage
    import tifffile
    import torch

    import imgai.cli.main
    import imgai.cli.tasks
    import imgai.images
    import imgai.kinds.files
    import imgai.predict.load
    import imgai.runs.load
    import imgai.runs.stages
    import imgai.runs.write

    assert all((imgai_classify, imgai_enhance, imgai_segment, scipy, tifffile, imgai))
    torch.set_num_threads(1)


def _be(work: Callable[[], object], words: Path) -> NoReturn:
    code = 1
    try:
        descriptor = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        for number in (signal.SIGINT, signal.SIGTERM):
            # A signal before `main` has set handlers of its own meets Python, not imgai: no traceback of it counts.
            signal.signal(number, lambda *_: os._exit(EXIT_INTERRUPTED))
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
