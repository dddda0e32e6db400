"""Copies of the inputs, or links to them, in a folder for each label."""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import shutil
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from imgai.runs.commit import commit, reason
from imgai.runs.names import Plan

UNSURE = "_unsure"
"""The folder of what has no label above the threshold."""

_PLACES = Lock()
"""Two files of one name must not find the same place free."""
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f]')


def sort_into(folder: Path, label: str | None, plan: Plan, source: Path, *, link: bool) -> Path:
    """Put one file into the folder of its label, below which the inputs' tree is mirrored; return where it is.

    Nothing is moved, and nothing overwritten: another file of that name makes this one's end in -2.
    Raises InputError if it cannot be written.
    """
    with _PLACES:
        return _sort_into(folder, label, plan, source, link=link)


def _sort_into(folder: Path, label: str | None, plan: Plan, source: Path, *, link: bool) -> Path:
    place = folder / folder_name(label) / plan.input.name
    number = 1
    while os.path.lexists(place):
        if place.exists() and (place.samefile(source) or filecmp.cmp(place, source, shallow=False)):
            return place
        number += 1
        name = Path(plan.input.name)
        place = folder / folder_name(label) / name.with_name(f"{name.stem}-{number}{name.suffix}")
    if not link:
        commit(place, partial(_copy, source))
        with contextlib.suppress(OSError):
            shutil.copystat(source, place)
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source.resolve(), place)  # of a symbolic link, the file
        except OSError:  # another file system
            place.symlink_to(source.absolute())
    except OSError as error:
        raise reason(place, error) from error
    return place


def folder_name(label: str | None) -> str:
    """The label as the name of a folder."""
    if label is None:
        return UNSURE
    return _UNSAFE.sub("_", label).strip(". ") or UNSURE


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb") as original:
        shutil.copyfileobj(original, file)
