"""The classes of a mask, as files are made of them."""

from __future__ import annotations

from collections.abc import Iterator

from imgai.kinds.instances import inside
from imgai.sample import Mask


def each_class(mask: Mask) -> Iterator[tuple[int, str | None]]:
    """The index of each class, and the label that its file bears: None where there is one class only."""
    for index, label in enumerate(mask.labels):
        yield index, label if len(mask.labels) > 1 else None


def areas(mask: Mask, threshold: float) -> dict[str, float]:
    """The part of the image that each class covers, 0 to 1."""
    return {label: round(float(inside(mask, index, threshold).mean()), 6) for index, label in enumerate(mask.labels)}
