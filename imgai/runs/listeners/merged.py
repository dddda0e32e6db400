"""Kinds that are one file of the whole run: parts are kept for each input, and merged at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgai.predict.spec import KindSpec
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.merged import write_fragments, write_merged
from imgai.runs.records import Records

if TYPE_CHECKING:
    from imgai.runs.run import Run


class Merged(Listener):
    def __init__(self, kinds: Sequence[KindSpec], records: Records) -> None:
        self._kinds = kinds
        self._records = records

    def finished(self, job: Job) -> None:
        write_fragments(job, self._kinds, self._records)

    def end(self, run: Run) -> None:
        if not run.summary.interrupted:
            write_merged(run.plans, run.out, self._kinds, self._records)
