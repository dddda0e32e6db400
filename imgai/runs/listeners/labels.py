"""The labels of all inputs: a table in a file, or words on standard output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imgai.runs.job import output_of_run
from imgai.runs.listen import Listener
from imgai.runs.tell import tell_labels

if TYPE_CHECKING:
    from imgai.kinds.table import Row
    from imgai.runs.run import Run


class Labels(Listener):
    def __init__(self, collect: Callable[[Row], None] | None) -> None:
        """collect: is given the labels of each input, in place of showing them."""
        self._collect = collect

    def end(self, run: Run) -> None:
        table, records = run.options.outputs.table, run.records
        try:
            if table is not None:
                records.complete(run.plans, run.name, run.mark)
            written = tell_labels(run.plans, run.specs[-1], run.options, records, run.console, self._collect)
            if written is not None and table is not None:
                run.outputs.append(output_of_run("table", table, written, run.out))
                records.deliver(table, run.name)
        except OSError as error:
            raise records.refusal(error, table) from error
