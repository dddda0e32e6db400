"""Summary of the records of an output folder, and of the runs at work in it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from imgai import hidden
from imgai.errors import InputError, UsageError
from imgai.pages import see
from imgai.runs import workers
from imgai.runs.claims import FOLDER as claims_in
from imgai.runs.commit import commit, reason
from imgai.runs.lock import alone
from imgai.runs.record import Key
from imgai.runs.records import FOLDER, Records, lines_of, parsed
from imgai.runs.remote import Listing, local_names, remote_inputs
from imgai.runs.scan import STDIN, scan
from imgai.runs.stored import DONE, FAILED
from imgai.runs.workers import LOST
from imgai.stores import LocalStore, Store, address_of, open_store

_ENDS = ("done", "failed")
_READERS = 16  # records of a store that are read at once


@dataclass(slots=True)
class Total:
    """The totals of a run. begun: outputs whose run was interrupted or is active. twice: inputs processed again.

    errors: of inputs that failed last, by their paths.
    """

    run: str
    done: int = 0
    begun: int = 0
    twice: int = 0
    seconds: float = 0.0
    errors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mate:
    """A run that has left word of itself. state: running, ended or gone. told: what it says. silent: seconds since."""

    name: str
    state: str
    told: dict[str, Any]
    silent: float


def totals(out: Path) -> list[Total]:
    """Return the totals of an output folder, one for each name of a run.

    out: a folder, or the address of one. Raises UsageError if it has no records.
    """
    by_run: dict[str, Total] = {}
    last: dict[Key, dict[str, Any]] = {}
    digests: Counter[tuple[Key, str]] = Counter()
    begun: dict[str, Key] = {}
    for key, record in _every(out):
        if record["status"] == "begun":
            begun[record["output"]] = key
        elif record["status"] == "undone":
            last.pop(key, None)
            for output in record["outputs"]:
                begun.pop(output["path"], None)
            for each in [each for each in digests if each[0] == key]:
                del digests[each]
        elif record["status"] in _ENDS:
            for output in [output for output, each in begun.items() if each == key]:
                del begun[output]
            last[key] = {name: record.get(name) for name in ("status", "error", "seconds")}
            if record["status"] == "done":
                digests[key, str(record.get("digest", ""))] += 1
    for key, ended in last.items():
        total = by_run.setdefault(key.run, Total(key.run))
        total.done += ended["status"] == "done"
        total.seconds += ended["seconds"] if isinstance(ended["seconds"], int | float) else 0
        if ended["status"] == "failed":
            total.errors[key.path] = str(ended["error"] or "")
    for key in begun.values():
        by_run.setdefault(key.run, Total(key.run)).begun += 1
    for (key, digest), count in digests.items():
        by_run[key.run].twice += bool(digest and count > 1)
    return list(by_run.values())


def mates(out: Path) -> list[Mate]:
    """The runs that have left word of themselves, the latest last."""
    store = _kept_in(out)
    known = sorted(workers.names(store), key=lambda each: each[1])
    now = time.time() if not isinstance(store, LocalStore) else _now(store) if known else 0.0
    active = []
    for name, then in known:
        told = workers.about(store, name)
        gone = hidden.is_gone(name) or then < now - LOST
        active.append(Mate(name, "ended" if "ended" in told else "gone" if gone else "running", told, now - then))
    return active


def missing(out: Path, named: Sequence[str], tell: Any) -> list[tuple[str, str]]:
    """The inputs that are not done, each with its error or "". named: the inputs; those that runs have noted, if none.

    Raises UsageError if nobody has noted any, and for a name that means nothing.
    """
    sums = totals(out) if named else []
    if named:
        asked = [(tuple(named), False, os.getcwd(), total.run) for total in sums]  # noqa: PTH109
    else:
        notes = [mate.told for mate in mates(out) if "inputs" in mate.told]
        asked = [(tuple(told["inputs"]), bool(told["null"]), told["folder"], told["run"]) for told in notes]
    if not asked:
        raise UsageError(f"no run has noted its inputs in {out}", "name them behind the folder")
    address = address_of(out)
    records = Records(out.absolute(), keep=address is None, tell=tell)
    records.load()
    stored = {key for key, record in _every(out) if record["status"] == "done"} if address is not None else set()
    failures = {(total.run, path): error for total in sums or totals(out) for path, error in total.errors.items()}
    errors: dict[str, str] = {}
    for names, null, folder, run in dict.fromkeys(asked):
        again = [name for name in names if name not in (STDIN, f"@{STDIN}")]
        if len(again) < len(names):
            tell("what came on standard input cannot be listed again; name it behind the folder")
        if not again:
            continue
        try:
            with chdir(folder):
                paths = _listed(again, null, records, address)
        except OSError as error:
            raise UsageError(f"{folder} cannot be looked into: {error.strerror}", "name the inputs") from error
        for path in paths:
            key = Key(path, run)
            if key not in stored and not records.is_done(key):
                errors[path] = failures.get((run, path), "")
    return list(errors.items())


def _listed(named: Sequence[str], null: bool, records: Records, address: str | None) -> list[str]:
    """The inputs that names mean now, as records have them."""
    if remote_inputs(named, null=null):
        listing = Listing(named, avoid=address, null=null)
        return [listing.item(place, Path()).shown for place in range(len(listing))]
    items = scan(local_names(named), avoid=[records.out] if records.keep else [], made=records.made(), null=null)
    return [str(item.path.absolute()) for item in items if item.path is not None]


def merge(out: Path) -> tuple[int, int]:
    """Leave out of the records what later ones supersede; how many lines there were, and how many there are.

    Raises UsageError while runs are at work, and InputError if it cannot be written.
    """
    if running := [mate for mate in mates(out) if mate.state == "running"]:
        words = f"{len(running)} runs are" if len(running) > 1 else "a run is"
        raise UsageError(f"{words} at work in {out}", "wait until they are over: imgai runs show tells")
    if (address := address_of(out)) is not None:
        return _merge_stored(address)
    before = after = 0
    for path in record_files(out):
        kept = _kept(path)
        try:
            with path.open("r+b") as file, alone(file):
                lines = list(lines_of(file))
                before, after = before + len(lines), after + len(kept)
                if len(kept) < len(lines):
                    commit(path, partial(_write, [lines[place] for place in sorted(kept)]))
        except OSError as error:
            raise reason(path, error) from error
    return before, after


def _merge_stored(address: str) -> tuple[int, int]:
    """Remove claims, and records of failures that are done by now; how many small files there were, and are."""
    store = open_store(f"{address}/{FOLDER}")
    try:
        claims, failed, done = ([entry.key for entry in store.list(name)] for name in (claims_in, FAILED, DONE))
        bases = {key.rpartition("/")[2].partition(".")[0] for key in done}
        over = claims + [key for key in failed if key.rpartition("/")[2].partition(".")[0] in bases]
        store.delete_all(over)
    except OSError as error:
        raise InputError(f"{address} cannot be written: {error.strerror}") from error
    count = len(claims) + len(failed) + len(done)
    return count, count - len(over)


def _kept_in(out: Path) -> Store:
    address = address_of(out)
    return LocalStore(out / FOLDER) if address is None else open_store(f"{address}/{FOLDER}")


def _every(out: Path) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Every sound record of a folder, in the order in which they count. Raises UsageError if there is none."""
    address = address_of(out)
    if address is None:
        for path in record_files(out):
            for key, record, _ in _records(path):
                yield key, record
        return
    store = open_store(f"{address}/{FOLDER}")
    try:
        names = [entry.key for folder in (FAILED, DONE) for entry in store.list(folder)]
    except OSError as error:
        raise UsageError(f"{address} cannot be listed: {error.strerror}", see("scale")) from error
    if not names:
        raise UsageError(f"{address} has no records of runs", "name the folder that --out named")
    with ThreadPoolExecutor(_READERS) as pool:
        for content in pool.map(partial(_read, store), names):
            if (found := parsed(content)) is not None and found[1]["status"] in _ENDS:
                yield found


def _read(store: Store, key: str) -> bytes:
    try:
        return store.read(key)
    except OSError:
        return b""


def record_files(out: Path) -> list[Path]:
    """The records of a folder: of files, and of each table. Raises UsageError if there are none."""
    files = sorted(path for path in (out / FOLDER).glob("*.jsonl") if path.is_file())
    if not files:
        raise UsageError(f"{out} has no records of runs", "name the folder that --out named")
    return files


def _kept(path: Path) -> set[int]:
    """The lines that count: the last about each input, those that account for a file, and what was begun."""
    last: dict[Key, int] = {}
    undone: dict[Key, int] = {}
    owner: dict[str, tuple[Key, int]] = {}
    begun: dict[str, tuple[Key, int]] = {}
    for key, record, place in _records(path):
        if record["status"] == "begun":
            begun[record["output"]] = key, place
            continue
        if record["status"] == "undone":
            last.pop(key, None)
            undone[key] = place
            for output in record["outputs"]:
                owner.pop(output["path"], None)
                begun.pop(output["path"], None)
            continue
        begun = {output: each for output, each in begun.items() if each[0] != key}
        undone.pop(key, None)
        last[key] = place
        for output in record["outputs"]:
            owner[output["path"]] = key, place
    # What was undone matters as long as an older line of its input does.
    still = {undone[key] for key, _ in owner.values() if key in undone}
    return {*last.values(), *still, *(place for each in (owner, begun) for _, place in each.values())}


def _records(path: Path) -> Iterator[tuple[Key, dict[str, Any], int]]:
    """The sound records of a file, with the numbers of their lines."""
    try:
        with path.open("rb") as file:
            for place, line in enumerate(lines_of(file)):
                if (record := parsed(line)) is not None:
                    yield *record, place
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _write(lines: list[bytes], file: BinaryIO) -> None:
    for line in lines:
        file.write(line)


def _now(store: LocalStore) -> float:
    """The time by the clock of the file system, which may be another host's."""
    file, path = hidden.create(store.root)
    try:
        with file:
            return path.stat().st_mtime
    finally:
        path.unlink(missing_ok=True)
        hidden.forget(path)
