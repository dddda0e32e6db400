"""``--json``: every record is a line on standard output."""

from __future__ import annotations

from typing import Any

from imgai.console import Console
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.record import to_line


class Lines(Listener):
    def __init__(self, console: Console) -> None:
        self._console = console

    def skip(self, record: dict[str, Any]) -> None:
        self._console.out_line(to_line(record))

    def planned(self, job: Job, record: dict[str, Any]) -> None:
        if job.error is None:
            self._console.out_line(to_line(record))

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        self._console.out_line(to_line(record))
