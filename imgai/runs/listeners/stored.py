"""The records of an output folder in a store."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any

from imgai.console import Console
from imgai.runs.job import Job, relative
from imgai.runs.listen import Listener
from imgai.runs.stored import StoreRecords

if TYPE_CHECKING:
    from imgai.runs.run import Run

_AT_ONCE = 16  # records on their way


class KeepStored(Listener):
    """Keeps the record of each input in the store, several at once."""

    def __init__(self, records: StoreRecords, console: Console) -> None:
        self._records = records
        self._console = console
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="records")
        self._room = BoundedSemaphore(4 * _AT_ONCE)  # that a slow store holds up the run, not its memory
        self._lock = Lock()
        self._lost = 0

    def recorded(self, job: Job, record: dict[str, Any]) -> None:
        base = relative(job.plan.base, self._records.out)
        self._room.acquire()
        self._pool.submit(self._records.keep_record, record, base).add_done_callback(
            lambda future: self._is_kept(future, record["input"])
        )

    def _is_kept(self, future: Future[None], shown: str) -> None:
        self._room.release()
        if (error := future.exception()) is not None:
            with self._lock:
                self._lost += 1
            why = getattr(error, "strerror", None) or str(error)
            self._console.fail(f"{self._records.address}: a record cannot be written: {why}; "
                               f"the next run will do {shown} again")  # fmt: skip

    def stop(self) -> None:
        self._pool.shutdown(wait=True)

    def end(self, run: Run) -> None:
        run.summary.unrecorded = self._lost
