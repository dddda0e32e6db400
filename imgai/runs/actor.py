"""A worker of a cluster: one of the actors of Ray Data's pool. It loads the models once, and does rows of inputs.

It is a run as any other, with records and claims, for as long as it lives. What it catches of an input is that input's
failure; what kills it is counted by the coordinator, see `imgai.runs.coordinator`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imgai.console import Console
from imgai.errors import ImgaiError, PluginError
from imgai.predict.spec import StepSpec
from imgai.runs.listeners.heard import Heard, Result
from imgai.runs.options import RunOptions
from imgai.runs.rows import Row

BEAT = 1.0
"""Seconds after which a worker says again that it lives, and hears whether to stop."""
_GATHER = 0.2  # seconds after results were sent in which others wait
_UNHEARD = 4  # calls with results that the coordinator has not answered
DEATHS = 2
"""Of workers that were at one input alone, after which it is reported as failed."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is told.

    folder: that names of inputs and outputs are relative to, where the worker's machine has it. mark: see
    `Records.follow`. run, loaded: the classes of runs, and of what they share.
    """

    specs: tuple[StepSpec, ...]
    options: RunOptions
    folder: str
    mark: float
    run: Callable[..., Any]
    loaded: Callable[..., Any]


class Actor:
    """Called with tables of rows, one after the other."""

    def __init__(self, work: Work, coordinator: Any) -> None:
        import ray

        self._ray: Any = ray
        self._work = work
        self._coordinator = coordinator
        self._id = ray.get_runtime_context().get_actor_id()
        self._stack = contextlib.ExitStack()
        self._loaded: Any = work.loaded(stack=self._stack, mark=work.mark)
        self._run: Any = None
        self._letters = _Letters(coordinator.hear.remote, ray.get)
        self._unrecorded = 0  # records that could not be kept, which nobody was told of yet
        self._stopped = False
        with contextlib.suppress(OSError):
            os.chdir(work.folder)
        threading.Thread(target=self._beat, daemon=True).start()
        self._fatal = self._prepare()
        if self._fatal is not None:
            ray.get(coordinator.fail.remote(*self._fatal))

    def _prepare(self) -> tuple[str, str, str] | None:
        """Load the models and join those at work; why not."""
        from imgai.predict.device import keep_to_one_core, tune_allocator

        tune_allocator()
        keep_to_one_core()
        from imgai.runs.load import load_chains

        options = self._work.options
        try:
            self._loaded.chains = load_chains(
                self._work.specs, options.machine, Console(quiet=True), max_pixels=options.max_pixels
            )
            self._loaded.before = self._ray.get(self._coordinator.predecessors.remote(self._id))
        except ImgaiError as error:
            return _told(error)
        except Exception as error:  # a model that cannot be loaded here, whatever it raises
            return _told(PluginError(f"a worker of the cluster cannot begin: {type(error).__name__}: {error}"))
        return None

    def __call__(self, table: Any) -> dict[str, Any]:
        """Do the inputs of a table; those of which a worker has died one by one."""
        given = table["place"].to_pylist()
        places, some_rows, suspect = self._ray.get(self._coordinator.enter.remote(self._id, given))
        rows: dict[int, Row] = dict(zip(places, some_rows, strict=True))
        if self._fatal is None and not self._stopped:
            for some in [[place] for place in places] if suspect else [places] if places else []:
                if suspect and self._ray.get(self._coordinator.deaths.remote(some[0])) >= DEATHS:
                    words = f"{rows[some[0]].name}: {DEATHS} workers died of it, one after the other"
                    rows[some[0]] = dataclasses.replace(rows[some[0]], error=(words, "try it alone"))
                self._do(some, [rows[place] for place in some])
        self._ray.get(self._coordinator.leave.remote(self._id, given, self._name, self._unrecorded))
        self._unrecorded = 0
        return {"count": [len(given)]}

    def _do(self, places: list[int], rows: list[Row]) -> None:
        from imgai.predict.device import keep_to_one_core

        keep_to_one_core()  # this may be another thread than before
        work = self._work
        self._run = work.run(
            work.specs, work.options, Console(quiet=True), loaded=self._loaded, rows=rows,
            listeners=(Heard(places, self._letters.add),),
        )  # fmt: skip
        try:
            if not self._stopped:
                for _ in self._run:
                    pass
        except ImgaiError as error:
            self._fatal = _told(error)
            self._ray.get(self._coordinator.fail.remote(*self._fatal))
        finally:
            self._unrecorded += self._run.summary.unrecorded
            self._run = None
            self._letters.end()

    @property
    def _name(self) -> str:
        """What this worker is called among the runs at work; "" before it has joined them."""
        return self._loaded.team.name if self._loaded.team is not None else ""

    def _beat(self) -> None:
        me = self._ray.get_runtime_context().current_actor
        while True:
            with contextlib.suppress(Exception):  # the coordinator is gone, and this process soon is
                self._letters.flush()
                if self._ray.get(self._coordinator.beat.remote(self._id, me, self._name)):
                    self._stopped = True
                    if (run := self._run) is not None:
                        run.stop()
            threading.Event().wait(BEAT)


class _Letters:
    """Results on their way to the coordinator: those that come soon after others go together, with the next beat."""

    def __init__(self, send: Callable[[list[Result]], Any], wait: Callable[[Any], Any]) -> None:
        """send: begins to send, and returns what `wait` waits for."""
        self._send = send
        self._wait = wait
        self._lock = threading.Lock()
        self._late: list[Result] = []
        self._sent: deque[Any] = deque()
        self._last = -_GATHER

    def add(self, results: list[Result]) -> None:
        """Take results; waits where nobody reads what comes back."""
        with self._lock:
            self._late += results
        if time.monotonic() - self._last >= _GATHER:
            self.flush()
        while len(self._sent) > _UNHEARD:
            self._wait(self._sent.popleft())

    def flush(self) -> None:
        """Send what is there; does not wait."""
        with self._lock:
            if self._late:
                self._sent.append(self._send(self._late))
                self._late, self._last = [], time.monotonic()

    def end(self) -> None:
        """Send what is there, and wait until all is heard."""
        self.flush()
        while self._sent:
            self._wait(self._sent.popleft())


def _told(error: ImgaiError) -> tuple[str, str, str]:
    return type(error).__name__, error.message, error.hint
