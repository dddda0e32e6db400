"""``--as coco``: what is found in each input is kept, and becomes one file at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgai.runs.coco import write_coco, write_fragments
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.records import Records

if TYPE_CHECKING:
    from imgai.runs.run import Run


class Coco(Listener):
    def __init__(self, records: Records) -> None:
        self._records = records

    def finished(self, job: Job) -> None:
        write_fragments(job, self._records)

    def end(self, run: Run) -> None:
        if not run.summary.interrupted:
            write_coco(run.plans, run.out, self._records)
