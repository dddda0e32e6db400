"""``--json``: write every record, and a summary at the end, as lines to standard output."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from imgai.console import Console
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.record import summary_record, to_line

if TYPE_CHECKING:
    from imgai.runs.run import Run


class Lines(Listener):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._planned = 0
        self._begun = time.monotonic()

    def skip(self, record: dict[str, Any]) -> None:
        self._console.out_line(to_line(record))

    def planned(self, job: Job, record: dict[str, Any]) -> None:
        if job.error is None:
            self._planned += 1
            self._console.out_line(to_line(record))

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        self._console.out_line(to_line(record))

    def end(self, run: Run) -> None:
        planned = {"planned": self._planned} if run.options.dry_run else {}
        self._console.out_line(to_line(summary_record(run, time.monotonic() - self._begun) | planned))
