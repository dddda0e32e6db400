"""Watch folders: process each file that arrives once it has stopped growing."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from imgai.console import Console
from imgai.errors import EXIT_FAILED, EXIT_OK, InputError, UsageError
from imgai.predict.pairing import mask_files
from imgai.predict.spec import StepSpec
from imgai.runs.options import RunOptions, Summary
from imgai.runs.pipe import is_piped
from imgai.runs.run import Loaded, run
from imgai.runs.scan import Input
from imgai.runs.signals import on_signal

SETTLED = 1.0
"""Seconds without a change after which a file is considered complete."""
LOOK = 500
"""The interval in milliseconds after which folders are scanned again, because one may have been replaced."""


def watch(specs: Sequence[StepSpec], options: RunOptions, console: Console) -> int:
    """Process the files that are there, then those that arrive, until SIGINT or SIGTERM; the work in hand is finished.

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
    masked = [spec for spec in specs if spec.mask.mask is not None]
    state, total = _State(changes, once=options.out is None, specs=masked), Summary()
    with on_signal(state.stop.set):  # between two runs; within one, the run hears them
        while not state.stop.is_set():
            there = [folder for folder in folders if folder.is_dir()]
            state.listen(folders)
            if there:
                _take(specs, options, console, state, total, there)
            if not state.said:
                console.say("watching; Ctrl-C ends it")
                state.said = True
            state.wait()
            options = dataclasses.replace(options, force=False)  # once is enough
    return EXIT_FAILED if total.failed else EXIT_OK


class _State:
    """The state between two scans of the folders.

    once: no records are kept, so what was taken is remembered here.
    specs: the steps that are told of masks: pictures wait for theirs.
    seen: of each file that failed or was taken once, its size and time then, and those of its masks.
    taken: the same, of all that were taken with masks. growing: some files were, or some masks are missing.
    looks: what changed since it was last asked; of the folders that had these identities.
    """

    def __init__(self, changes: Callable[..., Iterator[Any]], *, once: bool, specs: Sequence[StepSpec] = ()) -> None:
        self.specs = specs
        self.stop = Event()
        self.loaded = Loaded()
        self.once = once
        self.seen: dict[str, tuple[int, ...]] = {}
        self.taken: dict[str, tuple[int, ...]] = {}
        self.growing = False
        self.said = False
        self._changes = changes
        self._looks: Iterator[Any] | None = None
        self._known: dict[Path, tuple[int, int] | None] = {}

    def accept(self, item: Input) -> bool:
        """Whether an input is to be taken: whole, and not as it was when it failed, or was taken once."""
        if item.path is None:
            return True
        try:
            status = item.path.stat()
        except OSError:
            return False  # gone again
        if abs(time.time() - status.st_mtime) < SETTLED:
            self.growing = True
            return False
        path = os.fspath(item.path)
        now: tuple[int, ...] = (status.st_size, status.st_mtime_ns)
        if self.specs:
            try:
                masks = [mask.stat() for mask in mask_files(self.specs, item.name, item.path).values()]
            except (InputError, OSError):
                masks = []
            if not masks or any(abs(time.time() - mask.st_mtime) < SETTLED for mask in masks):
                self.growing = True  # a mask may come later than its picture
                return False
            now += tuple(number for mask in masks for number in (mask.st_size, mask.st_mtime_ns))
            self.taken[path] = now
        if self.seen.get(path) == now:
            return False
        if self.once:
            self.seen[path] = now
        return True

    def note(self, failed: list[Path]) -> None:
        """Remember what failed, as it is."""
        for path in failed:
            try:
                status = path.stat()
            except OSError:
                continue
            # With the masks, as they were when it was taken.
            masks = self.taken.get(os.fspath(path), ())[2:]
            self.seen[os.fspath(path)] = (status.st_size, status.st_mtime_ns, *masks)

    def listen(self, folders: list[Path]) -> None:
        """Watch for changes from now on, also during a run."""
        known = {folder: _identity(folder) for folder in folders}
        if self._looks is not None and known == self._known:
            return
        # A folder that was moved away takes its watch along; what comes in its place is watched anew.
        self._known, self._looks = known, None
        if not any(known.values()):
            return
        looks = self._changes(
            *(folder for folder, identity in known.items() if identity is not None),
            stop_event=self.stop,
            rust_timeout=LOOK,
            yield_on_timeout=True,
            raise_interrupt=False,
            debounce=LOOK // 2,
        )
        try:
            next(looks, None)  # earlier changes are not reported
        except OSError:
            return
        self._looks = looks

    def wait(self) -> None:
        """Wait until files may have arrived or the run is to end."""
        if self._looks is None or self.growing:
            self.growing = False
            self.stop.wait(LOOK / 1000)
            return
        try:
            for found in self._looks:
                if found or {folder: _identity(folder) for folder in self._known} != self._known:
                    return
        except OSError:
            self.stop.wait(LOOK / 1000)
        self._looks = None


def _take(
    specs: Sequence[StepSpec], options: RunOptions, console: Console, state: _State, total: Summary, there: list[Path]
) -> None:
    names = tuple(os.fspath(folder) for folder in there)
    summary = run(specs, dataclasses.replace(options, inputs=names), console, accept=state.accept, loaded=state.loaded)
    state.note(summary.failures)
    total.done += summary.done
    total.failed += summary.failed
    if summary.interrupted or (options.fail_fast and summary.failed):
        state.stop.set()


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
