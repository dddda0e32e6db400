"""The classes of a mask, for kinds that write one file per class."""

from __future__ import annotations

from collections.abc import Iterator

from imgai.outputs.mask import Mask


def each_class(mask: Mask) -> Iterator[tuple[int, str | None]]:
    """Yield the index of each class and the label for its file name, which is None if there is only one class."""
    for index, label in enumerate(mask.labels):
        yield index, label if len(mask.labels) > 1 else None
