"""Finished pages of one file, kept on the disk until all of them are there."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np

from imgai.images import make_sample, to_pixels
from imgai.runs.commit import temporary
from imgai.sample import Sample


class Shelf:
    """The pages of one output, which may come in any order and from several threads.

    A file of hundreds of pages would not fit into the memory that a run may take; what a killed run
    leaves of these files the next one sweeps away.
    """

    def __init__(self, path: Path) -> None:
        """path: where the output will be; the pages lie beside it."""
        self._path = path
        self._lock = Lock()
        self._pages: dict[int, tuple[Path, Sample]] = {}
        self.edited = False

    def put(self, sample: Sample) -> int:
        """Keep a page; return how many are there. Raises OSError if it cannot be written."""
        page = sample.source.page
        place = temporary(self._path, f"page {page}")
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            np.save(file, to_pixels(sample), allow_pickle=False)
        # Only what the file says of the page stays in memory.
        empty = dataclasses.replace(sample, image=sample.image[..., :0, :0].clone(), masks={}, scores={})
        with self._lock:
            self._pages[page] = place, empty
            self.edited |= sample.edited
            return len(self._pages)

    def pages(self) -> Iterator[Sample]:
        """Every page in order, read as it is asked for and then removed."""
        for _, (place, sample) in sorted(self._pages.items()):
            pixels = np.load(place, allow_pickle=False)
            place.unlink()
            alpha = None
            if sample.alpha is not None:
                pixels, alpha = pixels[..., :-1], pixels[..., -1]
                pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
            yield make_sample(pixels, alpha, sample.source, sample.metadata)

    def clear(self) -> None:
        """Remove what is left, of a file that could not be finished."""
        for place, _ in self._pages.values():
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
