"""``--out -``: the files of every finished input go to standard output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.console import Console
from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.pipe import Stdout
from imgai.runs.record import order_of

if TYPE_CHECKING:
    from imgai.runs.run import Run


class Send(Listener):
    def __init__(self, stdout: Stdout, out: Path, console: Console) -> None:
        """out: the folder that the paths of outputs are relative to."""
        self._stdout = stdout
        self._out = out
        self._console = console

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        if job.error is None:
            for output in sorted(job.outputs, key=order_of):
                if output.get("shared") and not self._stdout.tar:
                    continue  # there is room for the one file of the picture
                self._stdout.put(self._out / os.fsdecode(os.fsencode(output["path"])), output["path"])

    def end(self, run: Run) -> None:
        if not self._stdout.tar and self._stdout.members > 1:
            self._console.fail("the picture has several pages, and their files went out one after the other")
            run.summary.failed += 1
        self._stdout.close()
