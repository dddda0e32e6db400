"""What a worker of a cluster hears of its run, as it is sent back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imgai.runs.job import Job
from imgai.runs.listen import Listener
from imgai.runs.names import key_of

if TYPE_CHECKING:
    from imgai.runs.run import Run

Result = tuple[int, dict[str, Any], list[str]]
"""The place of an input among all, its record, and words for people."""


class Heard(Listener):
    """Sends the result of each input, when its record is kept. Comes after the listener that keeps records."""

    def __init__(self, places: list[int], send: Callable[[list[Result]], None]) -> None:
        """places: of the inputs of the run, in their order."""
        self._places = places
        self._send = send
        self._of: dict[str, int] = {}
        self._late: list[Result] = []  # that are told when the store has their records
        self._waits = False

    def begin(self, run: Run, count: int | None) -> None:
        self._of = {key_of(each): place for each, place in zip(run.plans, self._places, strict=True)}
        self._waits = run.destination.waits

    def skip(self, record: dict[str, Any]) -> None:
        self._tell((self._of[record["path"]], record, []))

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        self._tell((self._of[record["path"]], record, job.words))

    def _tell(self, result: Result) -> None:
        if self._waits:
            self._late.append(result)
        else:
            self._send([result])

    def stop(self) -> None:
        if self._late:
            self._send(self._late)
            self._late = []
