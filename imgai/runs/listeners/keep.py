"""Append every record to the records of the output folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgai.console import Console
from imgai.runs.commit import reason
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.record import ended_record
from imgai.runs.records import Records

if TYPE_CHECKING:
    from imgai.runs.run import Run


class Keep(Listener):
    def __init__(self, records: Records, console: Console) -> None:
        self._records = records
        self._console = console
        self._lost = 0  # records that could not be written

    def begin(self, run: Run, count: int | None) -> None:
        """Raises InputError if nothing can be kept: without records, the next run could not tell what is whose."""
        try:
            self._records.prepare()
        except OSError as error:
            raise reason(self._records.path, error) from error

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        self._append(record, f"the next run will do {record['input']} again")

    def end(self, run: Run) -> None:
        if run.outputs or run.unread:
            self._append(ended_record(run), "the next run will not know its files")
        run.summary.unrecorded += self._lost

    def _append(self, record: dict[str, Any], hint: str) -> None:
        try:
            self._records.append(record)
        except OSError as error:
            self._lost += 1
            self._console.fail(f"{self._records.path} cannot be written: {error.strerror}; {hint}")


class Ended(Keep):
    """Keeps what is told of the whole run alone; the workers keep the rest."""

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        """A worker has kept it."""
