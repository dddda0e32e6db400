"""``--on ray``: the inputs of a run go to the workers of a Ray cluster, and their records come back.

The workers are runs as any other, with records and claims, so that what is kept is right whatever dies. This side sends
rows, and counts what it hears. Who hands the rows out is in `imgai.runs.coordinator`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from imgai import __version__
from imgai.apart import words_of
from imgai.console import Console
from imgai.errors import InputError, PluginError, UsageError
from imgai.plural import counted
from imgai.predict.spec import StepSpec
from imgai.runs.job import Job
from imgai.runs.options import RunOptions
from imgai.runs.records import Records
from imgai.runs.rows import row_of
from imgai.runs.workers import bury
from imgai.stores import Store

PATIENCE = 60.0
"""Seconds after which what silent workers had is given to others, who have nothing to do."""
_AT_ONCE = 2_000  # rows that are sent together
_KNOCK = 10.0  # seconds
_WAIT = 20.0  # seconds without a worker after which that is told
_TRIES, _PAUSE = 20, 0.5  # seconds apart, where the connection to the coordinator breaks off
_REPEATABLE = ("results", "stop")  # what may be asked again though it was heard
_HEAD = "node:__internal_head__"  # the resource that Ray gives to that node alone
_CHECK = """
def check():
    try:
        import imgai
    except ImportError:
        return None
    return imgai.__version__
"""
_KINDS = {"PluginError": PluginError, "UsageError": UsageError, "DeviceError": UsageError}


def _knock(address: str | None) -> None:
    """Raise OSError where nobody answers at an address; Ray itself takes minutes to say so."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK).close()


def _hush() -> None:
    """Keep what Ray logs, say of workers that die, from among our lines, unless the calling program set its level."""
    if (logger := logging.getLogger("ray")).level == logging.INFO:  # as Ray sets it
        logger.setLevel(logging.ERROR)
    if not (logger := logging.getLogger("ray.util.client.logsclient")).handlers:  # what is logged at the other end
        logger.addHandler(logging.NullHandler())


class Cluster:
    """The workers of one run. Raises UsageError where Ray is missing."""

    fatal: BaseException | None = None

    def __init__(self, options: RunOptions, console: Console) -> None:
        try:
            import pyarrow  # noqa: F401
            import ray
        except ImportError:
            raise UsageError("--on ray needs Ray", "pip install 'imgai[ray]'") from None
        self._ray: Any = ray
        self._options = options
        self._console = console
        self._jobs: Sequence[Job] = ()
        self._before: list[int] = []
        self._coordinator: Any = None
        self._stopping = self._told = self._begun = False
        self._left = 0
        self.unrecorded = 0  # records that workers could not keep
        self._names: list[str] = []

    def join(self) -> None:
        """Reach the cluster, and see whether it fits. Raises UsageError."""
        ray, on = self._ray, self._options.on or ""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing calls home
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as later versions of Ray have it
        handler = signal.getsignal(signal.SIGTERM)
        _hush()
        far = on.startswith("ray://")
        address = on if far else os.environ.get("RAY_ADDRESS")
        more: dict[str, Any] = {} if far else {"configure_logging": False, "include_dashboard": False}
        try:
            if not ray.is_initialized():
                _knock(address)
                ray.init(address=address, log_to_driver=False, **more)
                self._begun = True
        except Exception as error:  # of many kinds
            words = words_of(error)[:200]
            raise UsageError(f"--on {on}: the cluster cannot be reached: {words}", "is it up?") from None
        finally:
            with contextlib.suppress(ValueError):  # in a thread there is none to put back
                signal.signal(signal.SIGTERM, handler)
        self._look()
        gpus = self._options.gpus_per_worker or 0
        if gpus and ray.cluster_resources().get("GPU", 0) < gpus:
            raise UsageError(f"--gpus-per-worker {gpus:g}: the cluster has no such GPU", "leave it out")

    def _look(self) -> None:
        """Start the coordinator. Raises UsageError where the cluster's Python has no imgai, or another."""
        from imgai.runs.coordinator import Coordinator

        ray, on = self._ray, self._options.on
        scope: dict[str, Any] = {"__name__": "__main__"}  # so that it is sent as code, not by its name in imgai
        exec(_CHECK, scope)
        try:
            found = ray.remote(num_cpus=0, max_retries=3)(scope["check"]).remote()
            # It is on the head node, since a cluster that loses that is lost anyway. A soft affinity to that node would
            # not keep it there: the scheduler passes actors that need no core on to other nodes.
            head = {_HEAD: 0.001} if _HEAD in ray.cluster_resources() else None
            self._coordinator = ray.remote(num_cpus=0, resources=head)(Coordinator).remote(PATIENCE)
            found = ray.get(found)
        except Exception as error:
            words = words_of(error)[:200]
            raise UsageError(f"--on {on}: the cluster does not answer: {words}", "is it up?") from None
        if found != __version__:
            has = "no imgai" if found is None else f"imgai {found}"
            raise UsageError(f"--on {on}: the cluster's Python has {has}, and this is imgai {__version__}",
                             f"install it there: pip install imgai=={__version__}, with the same plugins")  # fmt: skip

    def begin(
        self, jobs: Sequence[Job], records: Records, specs: tuple[StepSpec, ...], run: Callable[..., Any],
        loaded: Callable[..., Any],
    ) -> None:  # fmt: skip
        """Send what is to be done. run, loaded: see `Work`."""
        from imgai.runs.actor import Work  # and with it what workers import

        ray, options = self._ray, self._options
        self._jobs = jobs
        workers = options.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        quiet = dataclasses.replace(options, on=None, workers=None, gpus_per_worker=None, json=False, log=None)
        work = Work(specs, quiet, str(Path.cwd()), records.mark(), run, loaded)
        rows: list[tuple[int, Any]] = []
        for place, job in enumerate(jobs):
            if job.before:
                self._before.append(place)
                continue
            rows.append((place, row_of(job, records.out)))
            if len(rows) == _AT_ONCE:
                self._ask("add", rows)
                rows = []
        self._ask("add", rows)
        self._ask("begin", work, workers, options.gpus_per_worker or 0)
        self._console.say(f"on {counted(workers, 'worker')} of {options.on}")

    def _ask(self, method: str, *about: Any) -> Any:
        """Raises InputError where the coordinator is gone."""
        left = _TRIES if method in _REPEATABLE else 1
        while True:
            left -= 1
            try:
                return self._ray.get(getattr(self._coordinator, method).remote(*about))
            except Exception as error:  # of Ray, of its client, of the connection
                if left and isinstance(error, self._ray.exceptions.ActorUnavailableError):
                    time.sleep(_PAUSE)
                    continue
                words = words_of(error)[:200]
                raise InputError(f"the cluster is lost: {words}", "run the same command again to go on") from None

    def stop(self) -> int:
        """Hand out no more; the workers finish what a network has seen. How many inputs may be left."""
        self._stopping = True  # told in `finished`: this may be called in a signal handler
        return self._left

    def finished(self) -> Iterator[tuple[Job, dict[str, Any]]]:
        """Every job as it is done, with its record; an empty one of what was done before. Raises what ends a run."""
        for place in self._before:
            yield self._jobs[place], {}
        waited, taken = 0.0, 0
        while True:
            if self._stopping and not self._told:
                self._told = True
                self._ask("stop")
            told = self._ask("results", taken)
            taken += len(told["results"])
            self._left, self._names = told["left"], told["names"]
            for place, record, words in told["results"]:
                yield self._job(place, record, words), record
            if (fatal := told["fatal"]) is not None:
                kind, message, hint = fatal
                raise _KINDS.get(kind, InputError)(message, hint)
            if told["over"]:
                break
            waited = -1.0 if told["workers"] or waited < 0 else waited + 0.5
            if waited == _WAIT:
                self._console.say("waiting for the cluster to give a worker")
        if told["unrecorded"]:
            self._console.fail(f"{counted(told['unrecorded'], 'record')} cannot be written; the next run does it again")
        self.unrecorded = told["unrecorded"]

    def _job(self, place: int, record: dict[str, Any], words: list[str]) -> Job:
        job = self._jobs[place]
        job.words += words
        if record["status"] == "skipped":
            job.before = True
        elif record["status"] == "failed":
            job.failed(InputError(record.get("error", ""), record.get("hint", "")))
        return job

    def end(self, store: Store | None) -> None:
        """Let the workers go, and leave the cluster. store: of the records, where they were among those at work."""
        if self._coordinator is not None:
            with contextlib.suppress(Exception):  # it is gone
                self._ray.kill(self._coordinator)  # and its workers with it
        if store is not None:
            for name in self._names:
                with contextlib.suppress(OSError):
                    bury(store, name)
        if self._begun:
            self._ray.shutdown()
