"""What people are told: what failed, what they should know, and how the run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgai.console import Console
from imgai.runs.job import Job
from imgai.runs.listen import Listener

if TYPE_CHECKING:
    from imgai.runs.run import Run


class Words(Listener):
    def __init__(self, console: Console, *, json: bool) -> None:
        """json: inputs that a dry run would do are told on standard output already."""
        self._console = console
        self._json = json
        self._planned = 0

    def planned(self, job: Job, record: dict[str, Any]) -> None:
        self._planned += 1
        if job.plan.input.error is not None:
            self._console.fail(str(job.plan.input.error))
        elif not self._json:
            self._console.say(f"would do {job.plan.input.shown} -> {job.plan.exact or job.plan.base}")

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        for words in job.words:
            self._console.warn(words)
        if job.error is not None:
            self._console.fail(str(job.error))

    def end(self, run: Run) -> None:
        summary, options = run.summary, run.options
        if options.dry_run:
            self._console.say(f"{self._planned} to do, {summary.skipped} done before; nothing was written")
            return
        if run.replaces is not None and summary.done:
            self._console.say(f"replaced {run.replaces}")
        parts = [f"{summary.done} done"]
        if summary.skipped:
            parts.append(f"{summary.skipped} done before (--force does them again)")
        if summary.failed:
            parts.append(f"{summary.failed} failed")
        where = f"; see {options.out}" if options.out is not None and run.stdout is None else ""
        self._console.say(", ".join(parts) + where)
        if summary.interrupted:
            self._console.fail("interrupted; run the same command again to go on")
