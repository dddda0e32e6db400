"""Outputs that are made on this machine and copied to a store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imgai.errors import InputError
from imgai.predict.spec import StepSpec
from imgai.runs.guard import Guard
from imgai.runs.job import Job
from imgai.runs.options import OutputOptions
from imgai.runs.stored import StoreRecords
from imgai.runs.write import Writer


class StoredWriter(Writer):
    """Writes as `Writer` does, then copies what was made of an input to the store."""

    def __init__(self, records: StoreRecords, specs: Sequence[StepSpec], options: OutputOptions, guard: Guard) -> None:
        super().__init__(records.out, specs, options, guard)
        self._records = records

    def finish(self, job: Job) -> None:
        """Copy the files of an input, whose turn is still ours. Raises InputError."""
        super().finish(job)
        self._guard.check(job.plan)
        for output in job.outputs:
            path = self._local(output)
            if path is None:
                continue
            try:
                self._records.files.replace(output["path"], path)
            except OSError as error:
                where = f"{self._records.address}/{output['path']}"
                raise InputError(
                    f"{where} cannot be written: {error.strerror}", "run the same command again"
                ) from error

    def close(self, job: Job) -> None:
        """Leave nothing on this machine."""
        super().close(job)
        for output in job.outputs:
            if (path := self._local(output)) is not None:
                path.unlink(missing_ok=True)

    def _local(self, output: dict[str, Any]) -> Path | None:
        """Where an output was made; None for what lies elsewhere, as copies of --sort-into do."""
        name = os.fsdecode(os.fsencode(output["path"]))
        return None if Path(name).is_absolute() else self._out / name
