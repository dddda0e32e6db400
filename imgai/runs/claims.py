"""Claims of concurrent runs over one output folder: the run that puts the first claim processes the input.

A claim is a small file beside the records, put only if there is none. The claim of a run that is gone is never removed
by others, since two of them might remove each other's new one; it is overruled by one of the next generation, of which
again only the first is put. Whoever has put a claim looks at the generations beside it, and withdraws if they have
changed meanwhile.
"""

from __future__ import annotations

import hashlib
import os
from threading import Lock

from imgai.runs.workers import LOST, Worker
from imgai.stores import Store

FOLDER = "claims"


class Claims:
    """The claims of one run. Called by several threads at once."""

    def __init__(self, store: Store, worker: Worker, *, lasting: bool = False) -> None:
        """store: the folder of the records.

        lasting: claims on what is done stay until no run is at work, so that a claim of the first generation says that
        nobody has been at it.
        """
        self._store = store
        self._lasting = lasting
        self._worker = worker
        self._mark = worker.name.encode("ascii")
        self._lock = Lock()
        self._mine: dict[str, int] = {}  # by hash, the generation

    def take(self, key: str) -> bool:
        """Put a claim; False where another run that lives has one. Raises OSError."""
        return self._take(_hash(key))

    def sweep(self) -> None:
        """Remove the claims of runs that are gone; of lasting ones, when all runs are. Raises OSError."""
        if self._lasting:
            old = [entry.key for entry in self._store.list(FOLDER)]  # before the runs: who comes now is among those
            if old and not self._worker.has_company():
                self._store.delete_all(old)
            return
        for name in {entry.key.removeprefix(f"{FOLDER}/").split(".")[0] for entry in self._store.list(FOLDER)}:
            if self._take(name):
                self._release(name)

    def _take(self, name: str) -> bool:
        generation, before = 0, b""
        while not self._store.put_new(_path(name, generation), self._mark):
            holder = self._holder(name, generation)
            if holder is None or not self._is_gone(name, generation, holder):
                return False  # it was just released, or is somebody's
            generation, before = generation + 1, holder
        if self._lasting and generation == 0:
            with self._lock:
                self._mine[name] = 0
            return True
        changed = generation and self._holder(name, generation - 1) != before
        if changed or self._holder(name, generation + 1) is not None:
            self._store.delete(_path(name, generation))
            return False
        with self._lock:
            self._mine[name] = generation
        return True

    def holds(self, key: str) -> bool:
        """Whether a claim that was put is still this run's: others may have taken a run for gone that stood still."""
        return self._holds(_hash(key))

    def _holds(self, name: str) -> bool:
        with self._lock:
            generation = self._mine.get(name)
        if generation is None:
            return False
        if self._worker.is_sure():
            return True
        return self._holder(name, generation) == self._mark and self._holder(name, generation + 1) is None

    def is_first(self, key: str) -> bool:
        """Whether nobody was at it before this run, as far as claims tell."""
        with self._lock:
            return self._lasting and self._mine.get(_hash(key)) == 0

    def release(self, key: str, *, done: bool = True) -> None:
        """Withdraw a claim, and those that it overruled; a lasting one stays if it is done. Raises OSError."""
        if self._lasting and done:
            with self._lock:
                self._mine.pop(_hash(key), None)
            return
        self._release(_hash(key))

    def _release(self, name: str) -> None:
        holds = self._holds(name)
        with self._lock:
            last = self._mine.pop(name, None)
        if holds and last is not None:
            for generation in range(last + 1):
                self._store.delete(_path(name, generation))

    def _holder(self, name: str, generation: int) -> bytes | None:
        try:
            return self._store.read(_path(name, generation))
        except FileNotFoundError:
            return None

    def _is_gone(self, name: str, generation: int, holder: bytes) -> bool:
        if holder:
            return self._worker.takes_for_gone(holder.decode("ascii", "replace"))
        try:  # it is being put, or its run was killed at that
            return self._worker.is_older(self._store.look(_path(name, generation)).time, LOST)
        except FileNotFoundError:
            return False


def claim_of(key: str) -> str:
    """Return the name of the claims of a key, without their generation."""
    return _hash(key)


def _path(name: str, generation: int) -> str:
    return f"{FOLDER}/{name}.{generation}"


def _hash(key: str) -> str:
    return hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
