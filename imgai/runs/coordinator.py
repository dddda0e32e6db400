"""The one process of a cluster that hands rows out, by Ray Data, and hears how they went.

It runs beside the workers, so that the command line may be elsewhere: through Ray's client, Ray Data does not run.
Ray Data gives blocks of rows to its pool of actors, starts others for those that die, and gives their blocks again.
What it cannot know is asked of this process: which inputs have been heard of, and of which workers have died.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from imgai.apart import words_of
from imgai.runs.actor import Actor, Work
from imgai.runs.listeners.heard import Result
from imgai.runs.packs import Packs
from imgai.runs.rows import Row

_AHEAD = 2  # blocks at a worker, the second of which is there when the first is done
_MOST_ROWS = 64  # of a block
_SHARES = 3  # a block is at most this part of each worker's share of what is left, so that all end at the same time
_FULL = 10_000  # results that wait for the command line
_LOOK, _GATHER, _STEP = 0.5, 0.1, 0.05  # seconds


class Coordinator:
    """An actor, whose methods are called by the command line and by the workers."""

    def __init__(self, patience: float) -> None:
        """patience: seconds after which what silent workers had is given to others, who have nothing to do."""
        self._patience = patience
        self._rows = Packs()  # that have not been heard of
        self._results: deque[Result] = deque()
        self._taken = 0  # results that were there before those
        self._entered: dict[str, list[int]] = {}  # by worker, what it is at
        self._seen: Counter[int] = Counter()  # how often workers began what they have not left
        self._alone: Counter[int] = Counter()  # the same, of those that did it alone
        self._beats: dict[str, float] = {}
        self._idle: dict[str, float] = {}  # since when workers that have begun have nothing to do
        self._actors: dict[str, Any] = {}
        self._names: dict[str, set[str]] = {}  # by worker, the runs that it was among those at work
        self._unrecorded = 0
        self._stopping = self._over = False
        self._fatal: tuple[str, str, str] | None = None
        self._round: _Round | None = None
        threading.Thread(target=_import_engine, daemon=True).start()  # while the rows come

    async def add(self, rows: list[tuple[int, Row]]) -> None:
        """Take rows that are to be done, each with its place among all inputs."""
        self._rows.add(rows)

    async def begin(self, work: Work, workers: int, gpus: float) -> None:
        """Hand the rows out."""
        import ray

        me = ray.get_runtime_context().current_actor
        threading.Thread(target=self._spread, args=(work, workers, gpus, me), daemon=True).start()

    async def results(self, taken: int = 0) -> dict[str, Any]:
        """What has come after the first `taken` results, which the command has; waits a moment for it.

        So an answer that was lost on its way is given again.

        over: nothing more comes. left: how many inputs are at workers. workers: how many have begun. names: see
        `Worker`, in all. fatal: what ended the run.
        """
        while self._results and self._taken < taken:
            self._results.popleft()
            self._taken += 1
        begun = time.monotonic()
        while not self._over and self._fatal is None:
            await asyncio.sleep(_STEP)
            waited = time.monotonic() - begun
            if waited > (_GATHER if self._results else _LOOK):
                break
        over = self._over  # before the results are taken
        results = list(self._results)
        return {
            "results": results,
            "over": over,
            "left": sum(map(len, self._entered.values())),
            "workers": len(self._beats),
            "names": [name for names in self._names.values() for name in names],
            "fatal": self._fatal,
            "unrecorded": self._unrecorded,
        }

    async def stop(self) -> None:
        """Begin no more; the workers finish what a network has seen."""
        self._stopping = True

    async def predecessors(self, worker: str) -> list[str]:
        """The runs that a worker was before it died and was started again; see `workers.bury`."""
        return sorted(self._names.get(worker, ()))

    async def beat(self, worker: str, actor: Any, name: str) -> bool:
        """A worker lives; whether it is to stop. actor: its handle. name: see `Actor`."""
        self._call(worker, name)
        self._actors[worker] = actor
        self._beats[worker] = time.monotonic()
        return self._stopping or self._fatal is not None

    async def enter(self, worker: str, places: list[int]) -> tuple[list[int], list[Row], bool]:
        """A worker begins these: which of them are to be done, and whether one by one, as a worker died of them."""
        left = [place for place in places if place in self._rows]
        suspect = any(self._seen[place] for place in left)
        self._seen.update(left)
        self._entered[worker] = left
        self._idle.pop(worker, None)
        return left, self._rows.rows(left), suspect

    async def deaths(self, place: int) -> int:
        """A worker begins an input alone: of how many workers it was the death."""
        self._alone[place] += 1
        return self._alone[place] - 1

    async def leave(self, worker: str, places: list[int], name: str, unrecorded: int) -> None:
        """A worker has done what it began. unrecorded: how many records it could not keep."""
        self._call(worker, name)
        self._unrecorded += unrecorded
        self._entered.pop(worker, None)
        self._idle[worker] = time.monotonic()
        for place in places:
            self._seen.pop(place, None)
            self._alone.pop(place, None)

    async def hear(self, results: list[Result]) -> None:
        """Inputs are done or have failed. Each is heard of once, whoever did it again."""
        for result in results:
            if self._rows.drop(result[0]):
                self._results.append(result)
        while len(self._results) > _FULL and not self._stopping:
            await asyncio.sleep(_LOOK)

    async def fail(self, kind: str, message: str, hint: str) -> None:
        """What no further input would escape."""
        self._fatal = self._fatal or (kind, message, hint)

    def _call(self, worker: str, name: str) -> None:
        """Remember what a worker is called among the runs at work."""
        if name:
            self._names.setdefault(worker, set()).add(name)

    def _spread(self, work: Work, workers: int, gpus: float, me: Any) -> None:
        """Hand out until all is heard of. What a pool of actors could not do the next one does."""
        fruitless = 0
        try:
            while self._rows and self._goes_on() and fruitless < 2:
                before = len(self._rows)
                self._round = _Round(work, me, self._blocks(workers), workers, gpus)
                while self._round.is_on() and self._rows and self._goes_on():
                    time.sleep(_STEP)
                    if self._is_stuck():
                        self._round.abandon(self._actors.values())
                for known in (self._beats, self._idle, self._entered, self._actors):
                    known.clear()
                fruitless = fruitless + 1 if len(self._rows) == before and not self._round.lost else 0
            if self._rows and self._goes_on() and self._round is not None:
                self._fatal = ("InputError", f"the cluster does not go on: {self._round.why}", "run it again")
        except Exception as error:
            self._fatal = ("InputError", f"the cluster does not go on: {_words(error)}", "run the same command again")
        self._over = True

    def _goes_on(self) -> bool:
        """False where a run is broken off and no worker that lives has anything in hand."""
        if self._fatal is not None:
            return False
        now = time.monotonic()
        return not self._stopping or any(now - self._beats.get(each, now) < self._patience for each in self._entered)

    def _is_stuck(self) -> bool:
        """Whether what is left is at workers that are gone for long, and those that live have nothing to do.

        A worker that has not begun anything yet loads its models.
        """
        now = time.monotonic()
        silent = {each for each, beat in self._beats.items() if now - beat > self._patience}
        idle = {each for each in self._idle if now - self._idle[each] > self._patience}
        return bool(self._beats) and self._beats.keys() <= silent | idle

    def _blocks(self, workers: int) -> list[Any]:
        """The places of the rows as tables; a worker is given the rows themselves when it begins them."""
        import pyarrow as pa

        places = self._rows.left()
        blocks, at = [], 0
        while at < len(places):
            size = min(_MOST_ROWS, max(1, (len(places) - at) // (_SHARES * workers)))
            blocks.append(pa.table({"place": pa.array(places[at : at + size])}))
            at += size
        return blocks


class _Round:
    """One pool of actors over some rows. lost: it was given up. why: what Ray said last."""

    def __init__(self, work: Work, me: Any, blocks: Iterable[Any], workers: int, gpus: float) -> None:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        self.why = ""
        self.lost = False
        # Not from_arrow: that has a task look at each block.
        self._data: Any = ray.data.from_blocks(list(blocks)).map_batches(
            Actor, fn_constructor_args=(work, me), batch_size=None, batch_format="pyarrow", num_cpus=1,
            num_gpus=gpus or None,
            compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=_AHEAD),
        )  # fmt: skip
        self._ended = False
        self._thread = threading.Thread(target=self._iterate, daemon=True)
        self._thread.start()

    def is_on(self) -> bool:
        return self._thread.is_alive()

    def _iterate(self) -> None:
        try:
            for _ in self._data.iter_batches(batch_size=None):
                if self._ended:
                    return
        except Exception as error:
            self.why = _words(error)

    def abandon(self, actors: Iterable[Any]) -> None:
        """Give it up: what its actors have is given to those of the next one."""
        import ray

        self.lost = self._ended = True
        for each in actors:
            ray.kill(each, no_restart=True)
        self._thread.join(10)  # Ray Data ends with an error, and lets the others go


def _import_engine() -> None:
    """Import what takes seconds, ahead of its use."""
    with contextlib.suppress(Exception):  # it is told where it is used
        import ray.data  # noqa: F401


def _words(error: BaseException) -> str:
    return words_of(error)[:200] or type(error).__name__
