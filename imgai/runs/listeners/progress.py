"""How far a run is: a bar on a terminal, a line now and then in a log, nothing when quiet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from imgai.runs.listen import Listener

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from imgai.console import Console
    from imgai.runs.job import Job
    from imgai.runs.run import Run

_LINE_EVERY = 10.0  # seconds
_BAR_EVERY = 0.1


class Progress(Listener):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._total: int | None = None
        self._finished = 0
        self._left: int | None = None  # inputs to finish since the run was interrupted
        self._begun = self._said = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def begin(self, run: Run, count: int | None) -> None:
        self._total = count
        self._begun = self._said = time.monotonic()
        # One picture needs no bar.
        if not self._console.quiet and (count or 0) > 1 and self._console.err.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self._console.err,
                refresh_per_second=5,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=count, rate="")

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        self._finished += 1
        if self._left is None:
            self._advance(self._finished)
            return
        self._left = max(0, self._left - 1)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=self._stopping())

    def stopping(self, left: int) -> None:
        self._left = left
        if self._bar is None or self._task is None:
            self._console.say(self._stopping())
            return
        from rich.progress import TextColumn

        self._bar.columns = (TextColumn("{task.description}"),)
        self._bar.update(self._task, description=self._stopping())

    def _stopping(self) -> str:
        return f"stopping, {self._left} left; once more stops at once"

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _advance(self, finished: int) -> None:
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            if now - self._said >= _BAR_EVERY or finished == self._total:
                self._said = now
                self._bar.update(self._task, completed=finished, rate=self._rate(finished, now))
        elif now - self._said >= _LINE_EVERY:
            self._said = now
            if self._total is None:
                self._console.say(f"{finished} done, {self._rate(finished, now)}")
                return
            left = (self._total - finished) * (now - self._begun) / max(1, finished)
            self._console.say(f"{finished} of {self._total}, {self._rate(finished, now)}, {left:.0f} s left")

    def _rate(self, finished: int, now: float) -> str:
        rate = finished / max(1e-3, now - self._begun)
        return f"{rate:.1f} a second" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s each"
