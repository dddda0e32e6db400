"""Copies of the inputs, or links to them, in a folder for each label."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from functools import partial
from pathlib import Path
from typing import BinaryIO

from imgai.runs.commit import commit, reason
from imgai.runs.names import Plan, safe_name

UNSURE = "_unsure"
"""The folder of what has no label above the threshold."""


def sort_into(folder: Path, label: str | None, plan: Plan, source: Path, *, link: bool) -> tuple[Path, bool]:
    """Put one file into the folder of its label, below which the inputs' tree is mirrored.

    Returns where it is, and whether it was there before: the input itself, or a file that holds the same.

    Nothing is moved, and nothing overwritten: another file of that name makes this one's end in -2.
    Raises InputError if it cannot be written.
    """
    name = Path(plan.input.name)
    path, number = folder / folder_name(label) / name, 1
    while True:
        if not os.path.lexists(path):
            try:
                _put(path, source, link=link)
            except FileExistsError:
                continue  # another thread or process was faster: look at what it put there
            return path, False
        if path.exists() and (path.samefile(source) or filecmp.cmp(path, source, shallow=False)):
            return path, True
        number += 1
        path = folder / folder_name(label) / name.with_name(f"{name.stem}-{number}{name.suffix}")


def _put(path: Path, source: Path, *, link: bool) -> None:
    """Copy or link the file to a path that must be free. Raises FileExistsError where it is not, else InputError."""
    if not link:
        commit(path, partial(_copy, source), exclusive=True)
        with contextlib.suppress(OSError):
            shutil.copystat(source, path)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source.resolve(), path)  # of a symbolic link, the file
        except FileExistsError:
            raise
        except OSError:  # another file system
            path.symlink_to(source.absolute())
    except FileExistsError:
        raise
    except OSError as error:
        raise reason(path, error) from error


def folder_name(label: str | None) -> str:
    """The label as the name of a folder."""
    if label is None:
        return UNSURE
    return safe_name(label) or UNSURE


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb") as original:
        shutil.copyfileobj(original, file)
