"""An output folder in a store: its records, who may write what, and how what was made gets there.

Files are made in a folder of this machine and copied from there. A record is a small file of its own, whose name tells
the outputs' name and what they depend on, so that a listing alone tells what is done, and any number of runs can write
at once. Claims stay until no run is at work any more: who puts the first knows that nobody has been at an input.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from imgai.errors import InputError, UsageError
from imgai.images.formats import picture_suffixes
from imgai.pages import see
from imgai.runs.guard import Guard, Inputs
from imgai.runs.job import relative
from imgai.runs.names import Plan, key_of
from imgai.runs.options import RunOptions
from imgai.runs.parts import packed, path_of, unpacked
from imgai.runs.record import Key, to_line
from imgai.runs.records import FOLDER, Records, cells_of, parsed
from imgai.stores import open_store, parent_of

DONE, FAILED, PARTS, MERGED = "records", "failed", "parts", "merged"
"""The folders of records, below that of all that imgai keeps."""
NUL = "\0"
_READERS = 16  # parts that are read at once
_NAMED = 3  # the most files that a refusal names


class StoreRecords(Records):
    """The records of an output folder in a store. What is kept in memory of each is two numbers."""

    lasting = True

    def __init__(
        self, address: str, staging: Path, *, table: str = "", tell: Callable[[str], None] = lambda _: None
    ) -> None:
        """staging: the folder of this machine that outputs are made in. table: see `Records`. Raises UsageError."""
        super().__init__(staging, table=table, tell=tell)
        self.tell = tell
        self._below = PurePosixPath(table).stem  # a table may lie among files that are nobody's concern
        self.address = address
        self.files = open_store(address)
        self.store = open_store(f"{address}/{FOLDER}")
        self._done: dict[int, int] = {}  # by what outputs are called and what was run, what they depend on
        self._accounted: set[int] = set()  # the same, of all that was ever begun
        self._found: set[int] = set()  # what was done before, with whichever settings
        self._claimed: set[str] = set()
        self._parts: set[int] = set()  # what was kept of inputs for kinds of the whole run
        self._merged: set[int] = set()  # by run and name, those kinds' files
        self._there: set[int] = set()  # the files of the folder
        self._follows = False
        self.since = 0.0  # when the run began, by the store's clock

    @property
    def shown(self) -> str:
        """See `Records`."""
        return f"{self.address}/{FOLDER}"

    def refusal(self, error: OSError, path: Path | None = None) -> InputError:
        """See `Records`."""
        where = self.shown if path is None else f"{self.address}/{relative(path, self.out)}"
        return InputError(f"{where} cannot be written: {error.strerror or error}", "run the same command again")

    def load(self) -> None:
        """List what is there. Raises UsageError where the store does not answer."""
        try:
            times: dict[int, float] = {}
            for folder in (FAILED, DONE):
                for entry in self.store.list(folder):
                    base, _, what = entry.key.rpartition("/")[2].removesuffix(".json").partition(".")
                    with contextlib.suppress(ValueError):
                        name, mark = int(base, 16), int(what, 16)
                        self._accounted.add(name)
                        if folder == DONE:
                            self._found.add(mark)
                        if folder == DONE and entry.time >= times.get(name, 0):
                            # Of two in one second, by the store's clock, nobody knows which is the last.
                            self._done[name] = mark if entry.time > times.get(name, 0) else -1
                            times[name] = entry.time
            self._claimed = {entry.key.rpartition("/")[2].split(".")[0] for entry in self.store.list("claims")}
            self._parts = {_number(entry.key) for entry in self.store.list(PARTS)}
            for entry in self.store.list(MERGED):
                with contextlib.suppress(ValueError):
                    self._merged.add(int(entry.key.rpartition("/")[2].removesuffix(".json"), 16))
            there = self.files.list(self._below)
            self._there = {_number(entry.key) for entry in there if not entry.key.startswith(f"{FOLDER}/")}
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"{self.address} cannot be listed: {why}", see("scale")) from error

    def prepare(self) -> None:
        """The first record will tell."""

    def refresh(self) -> None:
        """What others do is asked for, input by input: see `is_done_now`."""

    def made(self) -> set[str]:
        """Inputs do not lie among these outputs."""
        return set()

    def outputs(self, key: Key) -> list[dict[str, Any]]:
        """Those of inputs that were done before are not read again."""
        return []

    def knows(self, base: str, run: str, key: Key, digest: str) -> bool:
        """Whether the last that was done under a name is this input, with these settings."""
        return self._done.get(_number(f"{run}\0{base}")) == _number(f"{key.path}\0{run}\0{digest}")

    def joined(self, since: float) -> None:
        """See `Records`."""
        self.since = self.since or since

    def mark(self) -> float:
        """See `Records`: a time, by the store's clock."""
        return self.since

    def follow(self, mark: float) -> None:
        """See `Records`. Nothing is listed: who hands out the inputs has seen what is there."""
        self.since = mark
        self._follows = True

    def is_done_now(self, base: str, key: Key, digest: str) -> bool:
        """See `Records`."""
        try:
            entry = self.store.look(record_key(DONE, base, key.run, key, digest))
        except FileNotFoundError:
            return False
        # What was there before is done again: it was asked for, its files are gone, or others were made after it.
        new = not self._follows and _number(f"{key.path}\0{key.run}\0{digest}") not in self._found
        return new or entry.time > self.since

    def has(self, output: str) -> bool:
        """Whether there was a file of that name when the folder was listed."""
        return _number(output) in self._there

    def keep_part(self, kind: str, key: str, value: Any) -> None:
        """See `Records`."""
        self.store.replace(_part_key(kind, key), packed(value))

    def drop_part(self, kind: str, key: str) -> None:
        """See `Records`."""
        self.store.delete(_part_key(kind, key))

    def has_part(self, kind: str, key: str) -> bool:
        """See `Records`."""
        place = _part_key(kind, key)
        if _number(place) in self._parts:
            return True
        try:
            self.store.look(place)
        except OSError:
            return False
        return True

    def parts(self, kind: str, keys: Iterable[str]) -> Iterator[Any]:
        """See `Records`; several are read at once. Raises OSError."""
        with ThreadPoolExecutor(_READERS, thread_name_prefix="parts") as pool:
            left = iter(keys)
            while some := list(islice(left, 4 * _READERS)):
                yield from pool.map(lambda key: self._part(_part_key(kind, key)), some)

    def _part(self, place: str) -> Any:
        try:
            return unpacked(self.store.read(place))
        except FileNotFoundError:
            return None

    def deliver(self, path: Path, run: str) -> None:
        """See `Records`."""
        output = relative(path, self.out)
        self.store.replace(f"{MERGED}/{_number(f'{run}{NUL}{output}'):016x}.json", to_line({"path": output}).encode())
        self.files.replace(output, path)
        path.unlink()

    def merged(self, output: str, run: str) -> bool:
        """Whether a file of all inputs together was made by this run or an earlier one like it."""
        return _number(f"{run}{NUL}{output}") in self._merged

    def accounts_for(self, base: str, run: str, claim: str) -> bool:
        """Whether what lies under a name was begun by this task, as these kinds."""
        return _number(f"{run}\0{base}") in self._accounted or claim in self._claimed

    def complete(self, plans: Sequence[Plan], run: str, mark: Callable[[int], str]) -> None:
        """See `Records`; reads the records of what other runs, or earlier ones, have done."""
        assert self._rows is not None  # asked for tables alone
        there = {entry.key for entry in self.store.list(DONE)}
        with ThreadPoolExecutor(_READERS, thread_name_prefix="records") as pool:
            left = (place for place, each in enumerate(plans) if key_of(each) not in self._known_rows())
            while some := list(islice(left, 4 * _READERS)):
                keys = [self._record_key(plans[place], run, mark(place)) for place in some]
                for content in pool.map(self.store.read, [key for key in keys if key in there]):
                    self._learn_row(content)

    def _record_key(self, plan: Plan, run: str, digest: str) -> str:
        return record_key(DONE, relative(plan.base, self.out), run, Key(key_of(plan), run), digest)

    def _known_rows(self) -> dict[str, dict[str, Any]]:
        return self._rows or {}

    def _learn_row(self, content: bytes) -> None:
        found = parsed(content)
        if found is not None and self._rows is not None:
            self._rows[found[0].path] = cells_of(found[1])

    def holds(self, output: str) -> bool:
        """Whether there is a file of that name. Raises UsageError where the store does not answer."""
        try:
            self.files.look(output)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UsageError(f"{self.address}/{output} cannot be read: {error.strerror}", see("scale")) from error
        return True

    def keep_record(self, record: dict[str, Any], base: str) -> None:
        """Write the record of an input that is done, if there is none, or of one that failed. Raises OSError."""
        if self._rows is not None:
            self._rows[record["path"]] = cells_of(record)
        key = Key(record["path"], record["run"])
        digest = record["digest"]
        done = record["status"] == "done"
        place, content = record_key(DONE if done else FAILED, base, key.run, key, digest), to_line(record).encode()
        if not done or not self.store.put_new(place, content):
            self.store.replace(place, content)  # it was done again: --force, or its outputs were gone


def record_key(folder: str, base: str, run: str, key: Key, digest: str) -> str:
    """Where the record of an input lies, with what its outputs depend on."""
    what = _number(f"{key.path}\0{run}\0{digest}")
    name = _number(f"{run}\0{base}")
    return f"{folder}/{name:016x}.{what:016x}.json"


def _part_key(kind: str, key: str) -> str:
    return f"{PARTS}/{path_of(PurePosixPath(kind), key)}"


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(os.fsencode(text)).digest()[:8], "big")


class StoredGuard(Guard):
    """Says which files of a store a run may write: those of its own records."""

    def __init__(
        self, records: StoreRecords, claim_of: Callable[[str], str], *, run: str, overwrite: bool = False
    ) -> None:
        """claim_of: what the claim of a name is called."""
        super().__init__(Inputs(), None, run=run, overwrite=overwrite)
        self._kept = records
        self._claim_of = claim_of

    def allow(self, kind: str, path: Path, plan: Plan | None = None) -> None:
        """See `Guard`."""
        if plan is not None:
            self.check(plan)
        if self._is_strange(path, plan):
            where = f"{self._kept.address}/{relative(path, self._kept.out)}"
            raise InputError(f"{where} would be overwritten, and imgai has no record of it", "--overwrite replaces it")

    def refuse_all(self, targets: Iterable[tuple[Plan | None, Path]]) -> None:
        """Raise UsageError if any of these files is there and not this run's own."""
        strange = [path for plan, path in targets if self._is_strange(path, plan)]
        if strange:
            names = [f"{self._kept.address}/{relative(path, self._kept.out)}" for path in strange[:_NAMED]]
            count = f"{len(strange)} files" if len(strange) > 1 else "a file"
            words = f"{count} would be overwritten: {', '.join(names)}{', ...' if len(strange) > _NAMED else ''}"
            raise UsageError(f"{words} (imgai has no record of it)", "name another folder, or add --overwrite")

    def _is_strange(self, path: Path, plan: Plan | None) -> bool:
        if self.overwrite or not self._kept.has(relative(path, self._kept.out)):
            return False
        if plan is None:  # of all inputs together
            return not self._kept.merged(relative(path, self._kept.out), self._run)
        base = relative(plan.base, self._kept.out)
        return not self._kept.accounts_for(base, self._run, self._claim_of(base))


def check_stored(address: str, options: RunOptions) -> None:
    """Raise UsageError for what cannot be written to a store."""
    scheme = address.partition("://")[0]
    if scheme in ("https", "http"):
        raise UsageError(
            f"--out {address}: nothing can be written to a web server", "name a folder, or s3://, gs://, az://"
        )
    if options.watch:
        words = "--watch looks at folders of this machine, and stores do not tell what arrives"
        raise UsageError(words, "run the same command again and again, it does only what is new")
    if options.outputs.table is not None and not parent_of(address)[1]:
        raise UsageError(f"--out {address} is a bucket", "name a table in it")
    if PurePosixPath(address).suffix.lower() in picture_suffixes():
        raise UsageError(f"--out {address} is called like a file", "name a folder of the store")
