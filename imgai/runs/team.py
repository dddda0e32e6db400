"""The runs that write into one output folder at once: this one joins them, and leaves when it is over."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from imgai import __version__
from imgai.runs import workers
from imgai.runs.claims import FOLDER, Claims
from imgai.runs.options import Summary
from imgai.runs.workers import Worker

if TYPE_CHECKING:
    from imgai.runs.run import Run

_END = ".end"  # what is claimed to write what is made of all inputs together; no output is called so
_LOOK = 0.2  # seconds after which it is looked again whether another run is done with that


class Team:
    """Joined while a run works.

    claims: this run's. name: of this run, among those at work. summaries: of this run; of the runs of a worker, which
    are one for the others, several.
    """

    def __init__(self, run: Run, count: int | None, *, merges: bool) -> None:
        """count: of the inputs to do. merges: something is made of all inputs together."""
        self._run = run
        self._merges = merges
        self.summaries: list[Summary] = []
        options = run.options
        told = {
            "version": __version__,
            "run": run.name,
            "inputs": list(options.inputs),
            "null": options.null,
            "folder": os.getcwd(),  # noqa: PTH109 - what the inputs are relative to
            "part": options.part,
            "count": count,
        }
        store = run.records.store
        self._worker = Worker(store, told)
        self.claims = Claims(store, self._worker, lasting=run.records.lasting)

    @property
    def name(self) -> str:
        return self._worker.name

    def __enter__(self) -> Team:
        """Raises InputError where nothing can be kept."""
        records = self._run.records
        try:
            for name in (FOLDER, workers.FOLDER) if not records.lasting else ():
                records.own_folder(name)
            self._worker.begin()
            records.joined(self._worker.since)
            if not records.lasting:
                self.claims.sweep()
        except OSError as error:
            raise records.refusal(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        done, skipped, failed, lost = (
            sum(getattr(each, name) for each in self.summaries) for name in ("done", "skipped", "failed", "unrecorded")
        )
        interrupted = any(each.interrupted for each in self.summaries)
        self._worker.end(done=done, skipped=skipped, failed=failed, interrupted=interrupted)
        # Where something is left to do, claims tell whose the files are that killed runs have begun.
        whole = kind is None and not (failed or interrupted or lost)
        if self._run.records.lasting and whole and self._run.options.part is None:
            with contextlib.suppress(OSError):  # the next run does it
                self.claims.sweep()

    @contextlib.contextmanager
    def last(self) -> Iterator[None]:
        """Write what is made of all inputs together: one run after the other, so that the last has seen all."""
        if not self._merges or self._run.summary.interrupted:
            yield
            return
        try:
            while not (claimed := self.claims.take(_END)) and not self._run.summary.interrupted:
                time.sleep(_LOOK)
            self._run.records.refresh()
        except OSError as error:
            raise self._run.records.refusal(error) from error
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                if claimed:
                    self.claims.release(_END)
