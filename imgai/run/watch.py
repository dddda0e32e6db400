"""Go on: take what comes into folders, when it has stopped growing."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import TYPE_CHECKING

from imgai.console import Console
from imgai.errors import EXIT_FAILED, EXIT_OK, UsageError
from imgai.run.options import RunOptions, StepSpec, Summary
from imgai.run.pipe import is_piped
from imgai.run.run import Kept, run
from imgai.run.scan import Input

if TYPE_CHECKING:
    from types import FrameType

SETTLED = 1.0
"""Seconds without a change after which a file is taken for whole."""
LOOK = 500
"""Milliseconds after which folders are looked at again: one may have gone, or come back."""


def watch(specs: Sequence[StepSpec], options: RunOptions, console: Console) -> int:
    """Do what is there, then whatever comes, until SIGINT or SIGTERM; the work in hand is finished then.

    Returns the exit code: 0 if all inputs were done, 1 if some failed.
    Raises what `run` raises, and UsageError if what is named is no folder or watchfiles is missing.
    """
    try:
        from watchfiles import watch as changes
    except ImportError:
        raise UsageError("--watch needs watchfiles", "pip install 'imgai[watch]'") from None
    folders = [Path(name) for name in options.inputs]
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"--watch is for folders, and {folder} is none", "name folders alone")
    if is_piped(options.out) or options.dry_run:
        raise UsageError("--watch goes on without an end, so there is neither --out - nor --dry-run")
    state, total = _State(), Summary()
    with _ending(state.stop):
        while not state.stop.is_set():
            there = [folder for folder in folders if folder.is_dir()]
            if there:
                _take(specs, options, console, state, total, there)
            if not state.said:
                console.say("watching; Ctrl-C ends it")
                state.said = True
            state.wait(there, changes)
            options = dataclasses.replace(options, force=False)  # once is enough
    return EXIT_FAILED if total.failed else EXIT_OK


class _State:
    """What is known from one look to the next.

    seen: of each file that failed or is growing, its size and time when it was looked at. growing: some were.
    """

    def __init__(self) -> None:
        self.stop = Event()
        self.kept = Kept()
        self.failed: dict[str, tuple[int, int]] = {}
        self.growing = False
        self.said = False

    def accept(self, item: Input) -> bool:
        """Whether an input is to be taken: whole, and not as it was when it failed."""
        if item.path is None:
            return True
        try:
            status = item.path.stat()
        except OSError:
            return False  # gone again
        if abs(time.time() - status.st_mtime) < SETTLED:
            self.growing = True
            return False
        return self.failed.get(os.fspath(item.path)) != (status.st_size, status.st_mtime_ns)

    def note(self, failed: list[Path]) -> None:
        """Remember what failed, as it is."""
        for path in failed:
            try:
                status = path.stat()
            except OSError:
                continue
            self.failed[os.fspath(path)] = (status.st_size, status.st_mtime_ns)

    def wait(self, folders: list[Path], changes: object) -> None:
        """Return when something may have come, or it is time to end."""
        if not folders or self.growing:
            self.growing = False
            self.stop.wait(LOOK / 1000)
            return
        known = [_identity(folder) for folder in folders]
        try:
            looks: Iterator[object] = changes(  # type: ignore[operator]
                *folders,
                stop_event=self.stop,
                rust_timeout=LOOK,
                yield_on_timeout=True,
                raise_interrupt=False,
                debounce=LOOK // 2,
            )
            for found in looks:
                # A folder that was moved away takes its watch along; what comes in its place is looked at anew.
                if found or [_identity(folder) for folder in folders] != known:
                    return
        except (FileNotFoundError, OSError):
            self.stop.wait(LOOK / 1000)


def _take(
    specs: Sequence[StepSpec], options: RunOptions, console: Console, state: _State, total: Summary, there: list[Path]
) -> None:
    names = [os.fspath(folder) for folder in there]
    summary = run(specs, dataclasses.replace(options, inputs=names), console, accept=state.accept, kept=state.kept)
    state.note(summary.failures)
    total.done += summary.done
    total.failed += summary.failed
    if summary.interrupted or (options.fail_fast and summary.failed):
        state.stop.set()


@contextmanager
def _ending(stop: Event) -> Iterator[None]:
    """Between two runs, a signal ends the watch; within one, the run hears it."""
    if current_thread() is not main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
