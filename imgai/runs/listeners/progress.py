"""Progress of a run: a bar on a terminal, occasional lines in a log, nothing with --quiet."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Any

from imgai.console import printable
from imgai.runs.listen import Listener
from imgai.runs.listeners.words import rate_of

if TYPE_CHECKING:
    from imgai.console import Console
    from imgai.runs.job import Job
    from imgai.runs.listeners.live import Live
    from imgai.runs.run import Run

_LINE_EVERY = 10.0  # seconds
_BAR_EVERY = 0.1
_BATCH = 0.05  # tiles of one batch are told at once, within this time


class Progress(Listener):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._what = ""  # the tasks and models
        self._total: int | None = None
        self._finished = 0
        self._left: int | None = None  # inputs to finish since the run was interrupted
        self._begun = self._said = time.monotonic()
        # A page and a step, when its first batch of tiles was done, and how many tiles that were.
        self._tiled: tuple[str, str, float, int] = ("", "", 0.0, 0)
        self._bar: Live | None = None
        self._stopped = self._at_work = False
        self._lock = Lock()  # tiles are told by the threads that predict

    def begin(self, run: Run, count: int | None) -> None:
        self._total = count
        self._at_work = True
        self._what = " | ".join(f"{spec.task.name}/{spec.model_name}" for spec in run.specs)
        self._begun = self._said = time.monotonic()
        if (count or 0) > 1:  # one picture needs no bar, unless it has many tiles
            self._show_bar()

    def skip(self, record: dict[str, Any]) -> None:
        if self._at_work:  # another run has done it meanwhile
            self._count(record["input"])

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        self._count(job.plan.input.name)

    def _count(self, name: str) -> None:
        self._finished += 1
        if self._left is None:
            self._advance(name)
            return
        self._left = max(0, self._left - 1)
        if self._bar is not None:
            self._bar.say(self._stopping())

    def advanced(self, job: Job, step: str, done: int, count: int) -> None:
        if self._left is not None or self._console.quiet:
            return
        now, name = time.monotonic(), job.plan.input.name
        with self._lock:
            if self._tiled[:2] != (name, step) or done == 1:
                self._tiled = (name, step, now, done)
            begun = self._tiled[2]
            if now - begun < _BATCH:
                self._tiled = (name, step, begun, done)
            if now - self._said < (_BAR_EVERY if self._live else _LINE_EVERY) or done == count:
                return
            self._said = now
            since = done - self._tiled[3]
            rate = f", {rate_of(since, now - begun)}" if since > 0 else ""
            words = f"{step}, tile {done:,} of {count:,}{rate}: {printable(name)}"
            if not self._live:
                self._console.say(words)
                return
            self._show_bar()
            if self._bar is not None:
                self._bar.say(words)
                if self._total == 1:
                    self._bar.tell(done, count, "")

    def stopping(self, left: int) -> None:
        self._left = left
        if self._bar is None:
            self._console.say(self._stopping())
        else:
            self._bar.say(self._stopping())

    def _stopping(self) -> str:
        return f"stopping, {self._left} left; once more stops at once"

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    @property
    def _live(self) -> bool:
        return not self._console.quiet and self._console.err.is_terminal

    def _show_bar(self) -> None:
        if self._bar is None and self._live and not self._stopped:
            from imgai.runs.listeners.live import Live

            self._bar = Live(self._console.err)
            self._bar.tell(0, self._total, "")
            self._bar.say(self._what)

    def _advance(self, name: str) -> None:
        now = time.monotonic()
        rate = rate_of(self._finished, now - self._begun)
        if self._bar is not None:
            if now - self._said >= _BAR_EVERY or self._finished == self._total:
                self._said = now
                self._bar.tell(self._finished, self._total, rate)
                self._bar.say(f"{self._what}: {printable(name)}")
        elif now - self._said >= _LINE_EVERY:
            self._said = now
            if self._total is None:
                self._console.say(f"{self._finished:,} done, {rate}")
                return
            left = (self._total - self._finished) * (now - self._begun) / max(1, self._finished)
            self._console.say(f"{self._finished:,} of {self._total:,}, {rate}, {left:.0f} s left")
