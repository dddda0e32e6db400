"""Kinds that are one file of the whole run: parts are kept for each input, and merged at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgai.predict.spec import KindSpec
from imgai.runs.commit import reason
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.merged import of_run, write_merged, write_parts
from imgai.runs.records import Records

if TYPE_CHECKING:
    from imgai.runs.run import Run


class Merged(Listener):
    def __init__(self, kinds: Sequence[KindSpec], records: Records) -> None:
        self._kinds = kinds
        self._records = records

    def begin(self, run: Run, count: int | None) -> None:
        for kind in of_run(self._kinds):
            try:
                self._records.own_folder(kind.name)
            except OSError as error:
                raise reason(self._records.folder / kind.name, error) from error

    def finished(self, job: Job) -> None:
        write_parts(job, self._kinds, self._records)

    def end(self, run: Run) -> None:
        if not run.summary.interrupted:
            run.outputs += write_merged(run.plans, run.out, self._kinds, self._records, run.guard, run.name)


class Parts(Merged):
    """Keeps the parts alone: another process merges those of all."""

    def end(self, run: Run) -> None:
        """There is more to come."""
