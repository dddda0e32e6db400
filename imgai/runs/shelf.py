"""Finished pages of one input, kept on the disk until all of them are there."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np

from imgai import hidden
from imgai.images import make_sample, to_pixels
from imgai.plugin import Page


class Shelf:
    """The pages that one kind writes together. They may come in any order and from several threads.

    The pages of a long file would not fit into the memory that a run may take. What a killed run
    leaves of these files, the next one sweeps away.
    """

    def __init__(self, path: Path) -> None:
        """path: where the output will be; the pages lie beside it."""
        self._path = path
        self._lock = Lock()
        self._pages: dict[int, tuple[Path, int, Page]] = {}
        self._edited = False

    def put(self, page: Page) -> int:
        """Keep a page; return how many are there. Raises OSError if it cannot be written."""
        sample, number = page.sample, page.sample.source.page
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file, path = hidden.create(self._path.parent)
        try:
            with file:
                np.save(file, to_pixels(sample), allow_pickle=False)
                if page.output is not sample:
                    pickle.dump(page.output, file)
                inode = os.fstat(file.fileno()).st_ino
        except BaseException:
            _remove(path)  # half a page, on a full disk
            raise
        # Only what the file says of the page stays in memory.
        empty = dataclasses.replace(
            sample, image=sample.image[..., :0, :0].clone(), masks={}, scores={}, boxes={}, maps={}, data={}
        )
        with self._lock:
            self._pages[number] = (
                path,
                inode,
                dataclasses.replace(page, sample=empty, output=empty if page.output is sample else None),
            )
            self._edited |= sample.edited
            return len(self._pages)

    def pages(self) -> Iterator[Page]:
        """Every page in order, read as it is asked for and then removed. All are edited where one of them is."""
        for _, (path, inode, page) in sorted(self._pages.items()):
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_ino != inode:  # what others put there is not unpickled
                    raise OSError(errno.ESTALE, f"{path} was replaced")
                pixels = np.load(file, allow_pickle=False)
                output = pickle.load(file) if page.output is None else None
            _remove(path)
            alpha = None
            if page.sample.alpha is not None:
                pixels, alpha = pixels[..., :-1], pixels[..., -1]
                pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
            sample = make_sample(pixels, alpha, page.sample.source, page.sample.metadata)
            sample.edited = self._edited
            yield dataclasses.replace(page, sample=sample, output=sample if output is None else output)

    def clear(self) -> None:
        """Remove what is left, of a file that could not be finished."""
        for path, _, _ in self._pages.values():
            _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    hidden.forget(path)
