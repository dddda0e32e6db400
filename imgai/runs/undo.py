"""Remove the outputs of runs from a folder, except files that have changed since."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgai.errors import InputError, UsageError
from imgai.runs import workers
from imgai.runs.commit import hash_of
from imgai.runs.records import FOLDER, RECORDS, Claim, Records
from imgai.stores import Store

_PART = re.compile(r"[0-9a-f]{32}\.json")
"""Names of files with intermediate results of an input."""


@dataclass(slots=True)
class Undone:
    """The files that are or would be removed, and those that are kept with the reason; sorted by path."""

    removed: list[Path] = field(default_factory=list)
    kept: list[tuple[Path, str]] = field(default_factory=list)
    bytes: int = 0


def undo(folder: Path, *, dry_run: bool = False, tell: Callable[[Path], None] = lambda _: None) -> Undone:
    """Remove the files in a folder that its records say imgai made, if they hold what was written.

    What was edited since, what lies elsewhere, and what a run was cut off in stays. Records say what is gone, so that
    the next run makes it again; with the last file they go too. tell: is given each file that is removed.
    Raises UsageError for a folder without records, or that a run is writing into; InputError where records cannot be
    written.
    """
    undone, root = Undone(), os.path.realpath(folder)
    every = _records_of(folder)
    if not dry_run:
        _refuse_beside_runs(folder, every[0].store)
    for records in every:
        gone: list[Claim] = []
        claims = records.claims()
        for claim in claims:
            path = records.place(claim.output)
            if os.path.lexists(path):
                why = _why_it_stays(path, claim, root)
                size = 0 if why else path.lstat().st_size
                if why := why or ("" if dry_run else _remove(path, Path(root))):
                    undone.kept.append((path, why))
                    continue
                tell(path)
                undone.removed.append(path)
                undone.bytes += size
            gone.append(claim)
        if not dry_run:
            _forget(records, gone, whole=len(gone) == len(claims))
    if not dry_run:
        with contextlib.suppress(OSError):  # something of another's is in it, or of a run that goes on
            (folder / FOLDER).rmdir()
    return undone


def _records_of(folder: Path) -> list[Records]:
    """The records in a folder: those of its files, and of each of its tables."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise UsageError(f"{folder} {what}", "name the folder that --out named")
    if (folder / FOLDER).is_symlink():
        raise UsageError(f"{folder / FOLDER} is a link, so the records in it are not known to be of {folder}")
    names = sorted(path.name for path in (folder / FOLDER).glob("*.jsonl") if path.is_file() and not path.is_symlink())
    if not names:
        above = next((each for each in folder.absolute().parents if any((each / FOLDER).glob("*.jsonl"))), None)
        hint = f"those of {above} are there" if above is not None else "name the folder that --out named"
        raise UsageError(f"{folder} holds no records of imgai, so nothing in it is known to be made by it", hint)
    every = [Records(folder, table="" if name == RECORDS else name.removesuffix(".jsonl")) for name in names]
    for records in every:
        records.load()
    return every


def _refuse_beside_runs(folder: Path, store: Store) -> None:
    """Raise UsageError while a run writes into the folder: its files would come and go."""
    for name in workers.at_work(store):
        told = workers.about(store, name)
        who = f"process {told.get('process', '?')} on {told.get('host', 'another host')}"
        raise UsageError(f"a run is writing into {folder}: {who}", "wait for its end, or stop it; see: imgai runs")


def _why_it_stays(path: Path, claim: Claim, root: str) -> str:
    """Why a file is not removed; "" if it is as it was written."""
    if os.path.commonpath((root, os.path.realpath(path.parent))) != root:
        return "it lies elsewhere"
    try:
        status = path.lstat()
        if claim.kind == "sorted" and claim.sha256 is None:
            return "" if _is_copy(path, Path(claim.key.path)) else "it is no copy of its input any more"
        if claim.size < 0:
            return "the run that wrote it was cut off"
        if claim.sha256 is None:
            return "its records are too old to tell whether it has changed"
        if not stat.S_ISREG(status.st_mode) or status.st_size != claim.size or hash_of(path) != claim.sha256:
            return "it has changed since imgai made it"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _is_copy(path: Path, source: Path) -> bool:
    """Whether a file of --sort-into is a link to its input, or holds the same, and is not the input itself."""
    if path.is_symlink() or not source.is_file():
        return path.is_symlink() and source.exists() and path.samefile(source)
    if path.samefile(source):  # a hard link, or the one file by another way
        return path.stat().st_nlink > 1 and os.path.realpath(path) != os.path.realpath(source)
    return hash_of(path) == hash_of(source)


def _remove(path: Path, root: Path) -> str:
    """Remove a file, and the folders below the root that are empty then; why it cannot be, or ""."""
    try:
        path.unlink()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"it cannot be removed: {error.strerror}"
    _rmdirs(path.parent, root)
    return ""


def _rmdirs(folder: Path, root: Path) -> None:
    """Remove a folder and those above it, up to the root, as long as they are empty."""
    with contextlib.suppress(OSError):
        while not folder.samefile(root):
            folder.rmdir()
            folder = folder.parent


def _forget(records: Records, gone: Sequence[Claim], *, whole: bool) -> None:
    """Note in the records what is gone; remove them where nothing else is left. Raises InputError."""
    try:
        if whole and not records.grown():
            records.path.unlink(missing_ok=True)
        else:
            records.undone(gone)
        for part in _parts(records.folder):
            part.unlink(missing_ok=True)
        workers.forget(records.store)
    except OSError as error:
        raise InputError(f"{records.path} cannot be written: {error.strerror}", "run the same again") from error
    for folder in sorted(records.folder.glob("*/")):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _parts(folder: Path) -> Iterator[Path]:
    """Yield the files with intermediate results of inputs; without them, the inputs are processed again."""
    for path in folder.glob("*/*.json"):
        if _PART.fullmatch(path.name) and not path.is_symlink() and not path.parent.is_symlink():
            yield path
