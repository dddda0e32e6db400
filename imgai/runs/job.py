"""The state of one input during a run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from imgai.outputs.scores import best
from imgai.runs.commit import Written
from imgai.runs.names import Plan
from imgai.sample import Sample

if TYPE_CHECKING:
    from imgai.runs.shelf import Shelf


class Job:
    """The state of one input. Several threads work on its pages; `lock` guards every field.

    pages: the number of pages decoded and not yet finished. decoded: all pages have been decoded.
    shelves: by step and kind, pages held until all pages of the input can be written together.
    fragments: by kind, the JSON of each page, kept until the run ends.
    """

    def __init__(self, plan: Plan, digest: str) -> None:
        self.plan = plan
        self.digest = digest
        self.lock = Lock()
        self.pages = 0
        self.decoded = False
        self.dropped = False  # the run was broken off before it was done
        self.before = False  # another run has done it since this one began
        self.error: Exception | None = None
        self.outputs: list[dict[str, Any]] = []
        self.shelves: dict[tuple[str, str], Shelf] = {}
        self.fragments: dict[str, list[dict[str, Any]]] = {}
        self.notes: dict[str, dict[int, Any]] = {}  # by step, by page: what the record tells of its output
        self.ranges: dict[str, dict[int, tuple[float, float]]] = {}  # by step, by page: what was stretched
        self.words: list[str] = []  # what a person should know though all went well
        self.hole = 0  # the width up to which the model fills holes well, if one is much wider
        self.size: tuple[int, int, int] | None = None  # width, height, pages
        self.format = ""
        self.begun = time.monotonic()

    def tell(self, notes: Iterable[str]) -> None:
        """Add messages for the user about this input; each is kept once."""
        with self.lock:
            for words in notes:
                if (line := f"{self.plan.input.name}: {words}") not in self.words:
                    self.words.append(line)

    def note(self, sample: Sample) -> None:
        """Count a decoded page."""
        self.tell(sample.metadata.notes)
        with self.lock:
            self.pages += 1
            if self.size is None:
                height, width = sample.metadata.full or (sample.height, sample.width)
                self.size = (width, height, sample.source.pages)
                self.format = sample.metadata.format

    def wrote(
        self,
        out: Path,
        kind: str,
        path: Path,
        written: Written | int,
        page: int,
        label: str | None,
        step: str | None = None,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Record an output file that has been written.

        written: the size alone, if the run did not make its content. step: the step, unless it is the last.
        more: further entries from the kind.
        """
        size = written if isinstance(written, int) else written.size
        entry: dict[str, Any] = {"kind": kind, "path": relative(path, out), "bytes": size, "page": page}
        if not isinstance(written, int):
            entry |= {"time": written.time, "ctime": written.ctime, "sha256": written.sha256}
        if step is not None:
            entry["step"] = step
        if label is not None:
            entry["label"] = label
        entry.update(more)
        with self.lock:
            self.outputs.append(entry)

    def note_output(self, step: str, page: int, note: Any) -> None:
        """Keep what the record tells of one page's output of a step."""
        with self.lock:
            self.notes.setdefault(step, {})[page] = note

    def note_range(self, step: str, page: int, ends: tuple[float, float]) -> None:
        """Keep the range of values, in the numbers of the file, that was stretched of a page for a step."""
        with self.lock:
            self.ranges.setdefault(step, {})[page] = ends

    def noted(self, step: str) -> list[Any]:
        """The notes of a step, page by page."""
        return [note for _, note in sorted(self.notes.get(step, {}).items(), key=itemgetter(0))]

    def best(self, step: str) -> dict[str, float]:
        """The labels with the highest scores, the highest first; of several pages, by the mean."""
        return best(self.noted(step))

    def failed(self, error: Exception) -> None:
        """Keep the first error."""
        with self.lock:
            self.error = self.error or error

    def finish_page(self) -> bool:
        """Count a finished page. Returns whether the whole input is finished."""
        with self.lock:
            self.pages -= 1
            return self.decoded and self.pages == 0

    def finish_decoding(self) -> bool:
        """All pages have been decoded. Returns whether the whole input is finished."""
        with self.lock:
            self.decoded = True
            return self.pages == 0


def output_of_run(kind: str, path: Path, written: Written, out: Path) -> dict[str, Any]:
    """Return the record entry of a file made from all inputs."""
    about = {"kind": kind, "path": relative(path, out), "bytes": written.size, "page": 0}
    return about | {"time": written.time, "ctime": written.ctime, "sha256": written.sha256}


def relative(path: Path, out: Path) -> str:
    """The path of an output as records have it."""
    try:
        return path.relative_to(out).as_posix()
    except ValueError:
        return path.absolute().as_posix()
