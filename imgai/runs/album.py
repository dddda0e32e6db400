"""The pictures of a report: stored for each input until the end of the run, then written as a page and a sheet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from imgai.errors import UsageError
from imgai.report.entry import Entry
from imgai.report.page import MARK as PAGE
from imgai.report.page import Run as About
from imgai.report.page import write_page
from imgai.report.sheet import MARK as SHEET
from imgai.report.sheet import write_sheet
from imgai.runs.commit import Written, commit
from imgai.runs.guard import Inputs
from imgai.runs.names import Plan, key_of
from imgai.runs.parts import path_of, read_part, write_part
from imgai.runs.sent import Sent
from imgai.stores import address_of

FOLDER = "report"
_LOOK = 4096  # bytes at a file's beginning that tell what it is
_SUFFIXES = {PAGE: (".html", ".htm"), SHEET: (".jpg", ".jpeg")}


class Album:
    """A folder of stored views of every input, keyed by plan and name of the run."""

    def __init__(self, folder: Path, run: str) -> None:
        self._folder = folder
        self._run = run

    def has(self, each: Plan, digest: str) -> bool:
        """Whether what an earlier run kept of an input is there, whole, and of the same settings."""
        kept = read_part(self._path(each))
        return isinstance(kept, dict) and kept.get("digest") == digest

    def put(self, each: Plan, digest: str, pages: Sequence[Entry]) -> None:
        """Keep the pages of an input. Raises InputError if that cannot be."""
        rows = [{"about": page.about, "images": page.images} for page in pages]
        write_part(self._path(each), {"digest": digest, "pages": rows})

    def pages(self, each: Plan) -> list[Entry]:
        """Return the stored views of an input."""
        kept = read_part(self._path(each))
        return [Entry(page["about"], page["images"]) for page in kept["pages"]] if isinstance(kept, dict) else []

    def entries(self, plans: Sequence[Plan]) -> Iterator[Entry]:
        """All pages of these inputs, one input in memory at a time."""
        for each in plans:
            yield from self.pages(each)

    def _path(self, each: Plan) -> Path:
        return path_of(self._folder, f"{self._run}\0{key_of(each)}")


def check_report(
    report: Path | None, contact: Path | None, inputs: Inputs, sent: Sequence[Sent] = (), *, overwrite: bool = False
) -> None:
    """Raise UsageError for a report or a sheet that is called wrongly, or would take the place of something else.

    sent: those that belong into a store.
    """
    for path, mark, flag in ((report, PAGE, "--report"), (contact, SHEET, "--contact")):
        if path is None:
            continue
        away = next((each for each in sent if each.path == path), None)
        shown = path if away is None else away.address
        if path.suffix.lower() not in _SUFFIXES[mark]:
            raise UsageError(f"{flag} {shown}: it is written as {_SUFFIXES[mark][0]}", "let its name end in that")
        if away is not None:
            if not overwrite and (head := away.head(_LOOK)) is not None and mark not in head:
                raise UsageError(f"{flag} {shown}: such a file is there, and no report of imgai's", "name another file")
            continue
        if path in inputs:
            raise UsageError(f"{flag} {path} is an input, and would be overwritten", "choose another name")
        if address_of(path) is not None:
            raise UsageError(f"{flag} takes no address here", "name a file of this machine")
        if path.is_dir():
            raise UsageError(f"{flag} {path} is a folder", "name a file in it")
        place = next(each for each in path.absolute().parents if each.exists())
        if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            raise UsageError(f"{flag} {path} cannot be written: {place} takes no files", "choose another place")
        if os.path.lexists(path) and not overwrite and not _is_ours(path, mark):
            raise UsageError(f"{flag} {path}: such a file is there, and no report of imgai's", "name another file")


def _is_ours(path: Path, mark: bytes) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return mark in file.read(_LOOK)
    except OSError:
        return False


def write_report(album: Album, plans: Sequence[Plan], path: Path, about: About) -> tuple[Written, int]:
    """Write the page; how many pictures had no room. Raises InputError if it cannot be written."""
    left_out: list[int] = []
    written = commit(path, lambda file: left_out.append(write_page(file, about, album.entries(plans))))
    return written, left_out[-1]


def write_contact(album: Album, plans: Sequence[Plan], path: Path, *, every_side: bool = False) -> Written:
    """Write the sheet. Raises InputError if it cannot be written."""
    count = sum(len(album.pages(each)) for each in plans)
    write: Any = partial(write_sheet, entries=album.entries(plans), count=count, every_side=every_side)
    return commit(path, write)
