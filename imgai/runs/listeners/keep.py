"""Append every record to the records of the output folder."""

from __future__ import annotations

from typing import Any

from imgai.console import Console
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.records import Records


class Keep(Listener):
    def __init__(self, records: Records, console: Console) -> None:
        self._records = records
        self._console = console

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        try:
            self._records.append(record)
        except OSError as error:
            self._console.fail(
                f"{self._records.path} cannot be written: {error.strerror}; "
                f"the next run will do {record['input']} again"
            )
