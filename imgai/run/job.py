"""One input on its way through a run."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from imgai.run.names import Plan
from imgai.sample import Sample

if TYPE_CHECKING:
    from imgai.run.shelf import Shelf


class Job:
    """What is known of one input so far. Several threads work on its pages; `lock` guards all of it.

    pages: those that are decoded and not finished. decoded: no more will come.
    shelf: pages of an image that wait until all can be written as one file.
    """

    def __init__(self, plan: Plan, digest: str) -> None:
        self.plan = plan
        self.digest = digest
        self.lock = Lock()
        self.pages = 0
        self.decoded = False
        self.error: Exception | None = None
        self.outputs: list[dict[str, Any]] = []
        self.shelf: Shelf | None = None
        self.fragments: list[dict[str, Any]] = []
        self.areas: dict[str, dict[int, float]] = {}
        self.scores: dict[str, float] = {}
        self.size: tuple[int, int, int] | None = None  # width, height, pages
        self.format = ""
        self.begun = time.monotonic()

    def note(self, sample: Sample) -> None:
        """Count a decoded page."""
        with self.lock:
            self.pages += 1
            if self.size is None:
                self.size = (sample.width, sample.height, sample.source.pages)
                self.format = sample.metadata.format

    def wrote(self, out: Path, kind: str, path: Path, size: int, page: int, label: str | None) -> None:
        """Note a file that is in its place."""
        entry: dict[str, Any] = {"kind": kind, "path": _relative(path, out), "bytes": size, "page": page}
        if label is not None:
            entry["label"] = label
        with self.lock:
            self.outputs.append(entry)

    def failed(self, error: Exception) -> None:
        """Keep the first thing that went wrong."""
        with self.lock:
            self.error = self.error or error

    def finish_page(self) -> bool:
        """One page is done; whether the whole input is."""
        with self.lock:
            self.pages -= 1
            return self.decoded and self.pages == 0

    def finish_decoding(self) -> bool:
        """No more pages come; whether the whole input is done."""
        with self.lock:
            self.decoded = True
            return self.pages == 0


def _relative(path: Path, out: Path) -> str:
    try:
        return path.relative_to(out).as_posix()
    except ValueError:
        return path.as_posix()
