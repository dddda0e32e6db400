"""The classes of a mask, as files are made of them."""

from __future__ import annotations

from collections.abc import Iterator

from imgai.outputs.mask import Mask


def each_class(mask: Mask) -> Iterator[tuple[int, str | None]]:
    """The index of each class, and the label that its file bears: None where there is one class only."""
    for index, label in enumerate(mask.labels):
        yield index, label if len(mask.labels) > 1 else None
