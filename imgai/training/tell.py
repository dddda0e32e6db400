"""Output of a training: a progress bar, lines without a terminal, events with --json."""

from __future__ import annotations

import json
import math
import time
from typing import Any

from imgai.console import Console

_LINE_EVERY = 30.0  # seconds
_BAR_EVERY = 0.2


class Teller:
    """Tells how a training goes."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        self._console = console
        self._json = as_json
        self._bar: Any = None
        self._task: Any = None
        self._said = 0.0
        self._loss = math.nan
        self._best = ""

    def event(self, event: str, /, **about: Any) -> None:
        """An event, with --json."""
        if self._json:
            self._console.out_line(json.dumps({"event": event, **about}))

    def start(self) -> None:
        """Training begins."""
        self._said = time.monotonic()
        if not self._console.quiet and self._console.err.is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[words]}"))
            self._bar = Progress(*columns, console=self._console.err, refresh_per_second=4, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=1.0, words="")

    def stepped(self, row: dict[str, Any], progress: float, left: float | None) -> None:
        """A step is done. row: what the log says of the latest steps; empty where it says nothing."""
        if row:
            self._loss = row["loss"]
            self.event("step", **row)
        now = time.monotonic()
        words = f"training loss {self._loss:.4g}{self._best}{_left(left)}"
        if self._bar is not None:
            if now - self._said >= _BAR_EVERY:
                self._said = now
                self._bar.update(self._task, completed=progress, words=words)
        elif row and now - self._said >= _LINE_EVERY:
            self._said = now
            self._console.say(f"{progress:.0%} done, {words}")

    def measured(self, row: dict[str, Any], main: str, *, better: bool) -> None:
        """The model was measured."""
        self.event("measure", **row, better=better)
        score = row["score"]
        told = "no figure" if score is None else f"{main} {score:.4f}"
        best = better and score is not None
        words = f"after {row['seconds'] / 60:.1f} min (epoch {row['epoch']:.1f}), validation pictures: {told}"
        self._console.say(f"{words}{', the best so far' if best else ''}")
        if best:
            self._best = f", best {main} {score:.4f}"

    def warn(self, text: str) -> None:
        """Print a notice."""
        self.event("warning", text=text)
        self._console.warn(text)

    def say(self, text: str) -> None:
        """Print a message about finished work."""
        self._console.say(text)

    def stop(self) -> None:
        """Training is over."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes = seconds / 60
    if minutes < 2:
        return f", {seconds:.0f} s left"
    return f", {minutes:.0f} min left" if minutes < 120 else f", {minutes / 60:.1f} h left"
