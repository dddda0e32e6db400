"""The entry points of installed distributions, by their group.

`importlib.metadata` returns them too, but importing it takes a tenth of the time of ``imgai --help`` because it imports
parsers for mail and archives. This module reads the folders of `sys.path` in the same way, and uses
`importlib.metadata` only if something other than a folder may contain distributions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

_READERS = ("PathFinder",)
"""Module finders whose distributions are in the folders of `sys.path`."""


class EntryPoint:
    """One entry point of a distribution: the line ``name = value`` in the section of a group.

    text: reads a metadata file of the distribution by name; None if it does not exist.
    """

    __slots__ = ("group", "name", "text", "value")

    def __init__(self, group: str, name: str, value: str, text: Callable[[str], str | None]) -> None:
        self.group, self.name, self.value, self.text = group, name, value, text

    @property
    def module(self) -> str:
        """The module named by the value."""
        return self.value.partition("[")[0].partition(":")[0].strip()

    def load(self) -> Any:
        """Import the module or attribute named by the value. Raises whatever the import raises."""
        loaded: Any = import_module(self.module)
        for attribute in filter(None, self.value.partition("[")[0].partition(":")[2].strip().split(".")):
            loaded = getattr(loaded, attribute)
        return loaded

    def about(self) -> tuple[str, str, list[str]]:
        """Return the name, the version (empty if unknown) and the requirements of the distribution."""
        fields: dict[str, list[str]] = {"name": [], "version": [], "requires-dist": []}
        for line in (self.text("METADATA") or self.text("PKG-INFO") or "").splitlines():
            key, _, value = line.partition(":")
            if not line:
                break  # end of the headers; the readme follows
            if key.lower() in fields:
                fields[key.lower()].append(value.strip())
        name, version = (next(filter(None, fields[key]), "") for key in ("name", "version"))
        return name, version, fields["requires-dist"]


def entry_points(prefix: str) -> Iterator[EntryPoint]:
    """Yield the entry points of every group with this prefix. Of two distributions with one name the first counts."""
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_distributions"))
    strange = any(getattr(finder, "__name__", "") not in _READERS for finder in finders)
    if strange or any(os.path.isfile(entry) for entry in sys.path):  # noqa: PTH113
        yield from _by_importlib(prefix)
        return
    seen: set[str] = set()
    for entry in sys.path:
        try:
            names = os.listdir(entry or ".")  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            stem, dot, suffix = name.rpartition(".")
            if suffix not in ("dist-info", "egg-info") or not dot:
                continue
            called = stem.partition("-")[0].lower().replace(".", "_")
            if called not in seen:
                seen.add(called)
                yield from _in_folder(os.path.join(entry, name), prefix)  # noqa: PTH118


def _in_folder(folder: str, prefix: str) -> Iterator[EntryPoint]:
    def text(name: str) -> str | None:
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:  # noqa: PTH118, PTH123
                return file.read()
        except OSError:
            return None

    written = text("entry_points.txt")
    if written is not None and prefix in written:
        yield from _parsed(written, prefix, text)


def _by_importlib(prefix: str) -> Iterator[EntryPoint]:
    from importlib.metadata import distributions

    seen: set[str] = set()
    for distribution in distributions():
        written = distribution.read_text("entry_points.txt") or ""
        if prefix in written and (name := (distribution.name or "").lower().replace("-", "_")) not in seen:
            seen.add(name)
            yield from _parsed(written, prefix, distribution.read_text)


def _parsed(written: str, prefix: str, text: Callable[[str], str | None]) -> Iterator[EntryPoint]:
    """Yield the entry points in the sections with this prefix."""
    group = ""
    for line in map(str.strip, written.splitlines()):
        name, is_entry, value = (part.strip() for part in line.partition("="))
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif is_entry and not line.startswith(("#", ";")) and group.startswith(prefix):
            yield EntryPoint(group, name, value, text)
