"""The bar on a terminal: how many are done, how fast, how long it will take; below it, what is under way."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

_WIDEST = 40


class Live:
    """Two lines that are renewed until `stop`; then they are gone."""

    def __init__(self, console: Console) -> None:
        # What stands beside the bar takes up to 40 columns: it is never folded, also on a narrow terminal.
        self._progress = _Two(
            BarColumn(bar_width=max(6, min(_WIDEST, console.width - 40))),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            refresh_per_second=5,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, rate="")
        self._progress.start()

    def tell(self, done: int, count: int | None, rate: str) -> None:
        """Update the bar. count: the total; None if unknown."""
        self._progress.update(self._task, completed=done, total=count, rate=rate)

    def say(self, words: str) -> None:
        """Show what is in progress, cut to the width of the line."""
        self._progress.below = Text(words, style="dim", no_wrap=True, overflow="ellipsis", end="")

    def stop(self) -> None:
        self._progress.stop()


class _Two(RichProgress):
    below = Text("")

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield self.below
