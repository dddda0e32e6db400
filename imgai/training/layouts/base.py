"""The base class of layouts: each picture is read once, with its target, and validated."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imgai.errors import InputError, UsageError
from imgai.runs.scan import scan
from imgai.training.example import Example
from imgai.training.findings import Findings, listed
from imgai.training.pictures import key_of, pages

NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Names of the folders of the parts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of a layout.

    labels: the names that classes must have, in this order; None: those of the folder.
    scale: of an IMAGE model, by how much a target's sides are longer than its input's.
    """

    folder: Path
    labels: tuple[str, ...] | None
    max_pixels: int
    findings: Findings
    scale: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of pictures, before it is read. name: below the data set's folder. target: of the layout's own kind."""

    path: Path
    name: str
    part: str | None
    target: Any = None


class Layout:
    """One way to hold pictures with what is right for them.

    labels: the names of the classes, known when `examples` is done. objects: label pictures number objects.
    by_class: a picture is of one class, and each class gives its share to the measure.
    """

    by_class = False

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.labels: tuple[str, ...] = asked.labels or ()
        self.objects = False

    def entries(self) -> list[Entry]:
        """The files. Raises UsageError if the folder is not laid out so."""
        raise NotImplementedError

    def partners(self, entry: Entry) -> Iterator[np.ndarray]:
        """The pages of the file that is right for a picture, where a file is."""
        return iter(())

    def example(self, entry: Entry, page: int, pixels: np.ndarray, partner: np.ndarray | None) -> Example:
        """One page with its target. Raises InputError, with the reason, if it cannot be learned from."""
        raise NotImplementedError

    def check(self, parts: Mapping[str, Sequence[Example]]) -> None:
        """Look at all that is left. Raises UsageError if nothing can be learned from it."""

    def examples(self) -> list[tuple[str | None, Example]]:
        """Every picture that can be learned from, in the order of names, read in as many threads as there are cores."""
        entries = self.entries()
        loaded: list[tuple[str | None, Example]] = []
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for entry, (examples, error) in zip(entries, threads.map(self._read, entries), strict=True):
                loaded += [(entry.part, example) for example in examples]
                if error is not None:
                    self.asked.findings.leave_out(_why(error, entry), entry.name)
        if not loaded:
            first = next(iter(self.asked.findings.lines()), "it holds no pictures")
            raise UsageError(f"{self.asked.folder}: no picture can be used: {first}")
        return loaded

    def _read(self, entry: Entry) -> tuple[list[Example], InputError | None]:
        examples: list[Example] = []
        try:
            if not entry.path.exists():
                raise InputError(f"{entry.name}: the file is not there")
            partners = self.partners(entry)
            for page, pixels in enumerate(pages(entry.path, entry.name, self.asked.max_pixels)):
                examples.append(self.example(entry, page, pixels, next(partners, None)))
        except InputError as error:
            return examples, error
        return examples, None


def _why(error: InputError, entry: Entry) -> str:
    reason = error.message.removeprefix(f"{entry.name}: ")
    return f"{reason}; {error.hint}" if error.hint else reason


def plain(entry: Entry, page: int, pixels: np.ndarray, **about: Any) -> Example:
    """An example with all that does not depend on the layout."""
    key = key_of(pixels)
    name = entry.name if page == 0 else f"{entry.name}#{page + 1}"
    size = (int(pixels.shape[0]), int(pixels.shape[1]))
    return Example(image=entry.path, page=page, group=key, key=key, name=name, size=size, **about)


def digest(content: bytes | np.ndarray) -> str:
    """A digest of what is right for a picture."""
    return hashlib.blake2b(content if isinstance(content, bytes) else content.data, digest_size=16).hexdigest()


def parts_of(folder: Path, findings: Findings) -> dict[str | None, Path]:
    """The folders ``train``, ``val`` and ``test`` by what they are; the folder itself where there is no ``train``."""
    folders: dict[str | None, Path] = {}
    strays = []
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name.startswith("."):
            continue
        part = NAMES.get(path.name.lower())
        if part is None:
            strays.append(path.name)
        elif part in folders:
            raise UsageError(f"{folders[part].name}/ and {path.name}/ mean the same part", "keep one of them")
        else:
            folders[part] = path
    if "train" not in folders:
        return {None: folder}
    if strays:
        findings.note(f"left out, since they lie beside train/: {', '.join(f'{name}/' for name in strays)}")
    return folders


def pictures(folder: Path, findings: Findings, root: Path) -> Iterator[tuple[Path, str]]:
    """Every picture below a folder with its name below `root`, in order."""
    unread: Counter[str] = Counter()
    for item in scan([str(folder)], unread=unread):
        assert item.path is not None
        if item.error is not None:
            findings.leave_out(item.error.message, item.name)
            continue
        yield item.path, item.path.relative_to(root).as_posix()
    for suffix, count in sorted(unread.items()):
        findings.note(f"{suffix} is no format that imgai reads: {count} left out")


def stem_of(path: Path, folder: Path) -> str:
    """Return the common name of a picture and its target: the path below their folders, without the suffix."""
    return path.relative_to(folder).with_suffix("").as_posix()


def in_order(found: Sequence[str], asked: Asked, what: str = "class") -> tuple[str, ...]:
    """The names of classes: those asked for, or those found. Raises UsageError for one that was not asked for."""
    if asked.labels is None:
        return tuple(found)
    strange = [name for name in found if name not in asked.labels]
    if strange:
        near = difflib.get_close_matches(strange[0], asked.labels, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else "rename it, or train a model for other classes"
        raise UsageError(
            f"{asked.folder} has the {what} {strange[0]!r}, which is none of {listed(list(asked.labels))}", hint
        )
    return asked.labels
