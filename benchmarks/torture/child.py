"""Start the command many times without importing torch each time: everything is imported once, then forked."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from imgai.errors import EXIT_INTERRUPTED

_TOLD = (signal.SIGINT, signal.SIGTERM)

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
        # A child that has not had the processor yet would meet a signal as Python does, before it is `_be`.
        signal.pthread_sigmask(signal.SIG_BLOCK, _TOLD)
        self.pid = os.fork()
        if self.pid == 0:
            _be(work, words)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD)

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
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        _run(words, folder)

    return Child(work, folder.parent / f"{folder.name}.words")


def preload(runs: Sequence[Sequence[str]], folder: Path) -> None:
    """Import what these commands import, and start no thread: a fork would not have it.

    folder: where the commands are run once, each in a fork that tells what it imported.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else it starts them when SciPy is imported

    import torch

    import imgai.cli.main
    import imgai.cli.tasks
    import imgai.images
    import imgai.predict.load
    import imgai.runs.load
    import imgai.runs.stages
    import imgai.runs.write

    assert imgai
    torch.set_num_threads(1)
    told = folder / "modules"
    for words in runs:
        ended = Child(partial(_tell_imported, words, folder, told), folder / "words").wait()
        if ended.code:
            raise RuntimeError(f"{' '.join(words)} ended with {ended.code}: {ended.words}")
        for name in told.read_text().split():
            if not name.startswith("openvino"):  # it starts threads
                with contextlib.suppress(ImportError):  # of namespaces that a module makes for itself
                    importlib.import_module(name)
        shutil.rmtree(folder / "out", ignore_errors=True)
    gc.collect()
    gc.freeze()  # the collector would write to every object, and so copy all memory
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("what was imported started a thread, and a process with threads cannot be forked")


def _tell_imported(words: Sequence[str], folder: Path, told: Path) -> None:
    before = set(sys.modules)
    try:
        _run(words, folder)
    finally:
        told.write_text("\n".join(name for name in list(sys.modules) if name not in before))


def _run(words: Sequence[str], folder: Path) -> None:
    os.chdir(folder)
    sys.argv = ["imgai", *words]
    from imgai.cli.entry import main

    main()


def _be(work: Callable[[], object], words: Path) -> NoReturn:
    code = 1
    try:
        descriptor = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        for number in _TOLD:
            # A signal before `main` has set handlers of its own meets Python, not imgai: no traceback of it counts.
            signal.signal(number, lambda *_: os._exit(EXIT_INTERRUPTED))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD)
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
