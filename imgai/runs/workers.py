"""The runs that write into one output folder at the same time: each keeps a small file that says that it lives.

`workers/NAME.json` beside the records tells what a run was asked for and, when it is over, how it ended. While it goes
on the file is written again and again; a run whose file is old, or whose process is gone, is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from threading import Event, Thread
from typing import Any

from imgai import hidden
from imgai.errors import no_threads
from imgai.stores import Store

FOLDER = "workers"
BEAT = 20.0
"""Seconds after which a run says again that it lives."""
LOST = 300.0
"""Seconds without a word after which a run of another host, or one that stands still, counts as gone."""
_KEPT = 100  # files of runs that are over
_over: set[str] = set()  # runs of this process that are, which a store may have refused to hear


class Worker:
    """This run, as the others see it. name: of this run alone; it tells the host and the process."""

    def __init__(self, store: Store, about: Mapping[str, Any]) -> None:
        """store: the folder of the records. about: what JSON can hold of the run."""
        self.name = f"{hidden.owner()}.{secrets.token_hex(4)}"
        self._store = store
        self._about = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "begun": datetime.now().astimezone().isoformat(timespec="seconds"),
            **about,
        }
        self._stop = Event()
        self._beaten = self._offset = 0.0
        self.since = 0.0  # when the run began, by the store's clock

    def begin(self) -> None:
        """Say that the run lives, from now on until `end`. Raises OSError if that cannot be written."""
        _forget_old(self._store)
        self._beat()
        self.since = self._store.look(self._key).time
        self._offset = self.since - self._beaten
        try:
            Thread(target=self._go_on, daemon=True).start()
        except RuntimeError as error:
            self.end()
            raise no_threads(error) from error

    def end(self, **counts: Any) -> None:
        """Say that the run is over, and how it went."""
        if self._stop.is_set():
            return
        self._stop.set()
        _over.add(self.name)
        ended = datetime.now().astimezone().isoformat(timespec="seconds")
        with contextlib.suppress(OSError):  # its process is gone soon
            self._store.replace(self._key, _content({**self._about, **counts, "ended": ended}))

    def is_sure(self) -> bool:
        """Whether nobody can take this run for gone."""
        return _now() - self._beaten < LOST / 2

    def takes_for_gone(self, name: str) -> bool:
        """Whether the run of that name is over, killed, or long without a word."""
        return name != self.name and is_gone(self._store, name, _now() + self._offset)

    def has_company(self) -> bool:
        """Whether another run is at work. Raises OSError."""
        return any(not self.takes_for_gone(name) for name, _ in names(self._store) if name != self.name)

    def is_older(self, then: float, seconds: float) -> bool:
        """Whether something is that old. then: when it was, by the store's clock."""
        return then < _now() + self._offset - seconds

    @property
    def _key(self) -> str:
        return f"{FOLDER}/{self.name}.json"

    def _beat(self) -> None:
        self._store.replace(self._key, _content(self._about))
        self._beaten = _now()

    def _go_on(self) -> None:
        while not self._stop.wait(BEAT):
            with contextlib.suppress(OSError):  # the next may arrive
                self._beat()


def is_gone(store: Store, name: str, now: float) -> bool:
    """Whether a run is over, killed, or long without a word. now: by the store's clock."""
    if name in _over or hidden.is_gone(name):
        return True
    try:
        if store.look(f"{FOLDER}/{name}.json").time < now - LOST:
            return True
        return "ended" in about(store, name)
    except FileNotFoundError:
        return True


def at_work(store: Store) -> list[str]:
    """The runs that live. store: one of this machine's, whose clock is its own. Raises OSError."""
    now = time.time()
    return [name for name, _ in names(store) if not is_gone(store, name, now)]


def about(store: Store, name: str) -> dict[str, Any]:
    """Read the status file of a run; empty if it is damaged. Raises FileNotFoundError."""
    try:
        told = json.loads(store.read(f"{FOLDER}/{name}.json"))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def names(store: Store) -> Iterator[tuple[str, float]]:
    """The runs that have left word, each with the time of the last, by the store's clock."""
    for entry in store.list(FOLDER):
        if entry.key.endswith(".json"):
            yield entry.key.removeprefix(f"{FOLDER}/").removesuffix(".json"), entry.time


def bury(store: Store, name: str) -> None:
    """Say of a run that it is over; for who knows that it was killed, wherever it was. Raises OSError."""
    _over.add(name)
    with contextlib.suppress(FileNotFoundError):
        told = about(store, name)
        if "ended" not in told:
            ended = datetime.now().astimezone().isoformat(timespec="seconds")
            store.replace(f"{FOLDER}/{name}.json", _content({**told, "ended": ended}))


def forget(store: Store) -> None:
    """Remove what runs have left that are over, or were killed on this host. Raises OSError."""
    _forget(store, [name for name, _ in names(store)])


def _forget_old(store: Store) -> None:
    """Remove what runs have left that are long over. Raises OSError."""
    known = sorted(names(store), key=lambda each: each[1])
    _forget(store, [name for name, _ in known[:-_KEPT]])


def _forget(store: Store, known: list[str]) -> None:
    for name in known:
        if hidden.is_gone(name) or "ended" in about(store, name):
            store.delete(f"{FOLDER}/{name}.json")


def _content(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told).encode("ascii")


def _now() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
