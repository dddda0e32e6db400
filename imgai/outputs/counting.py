"""What counts as an object: of masks what is numbered, of boxes what is listed.

NumPy is imported when it is used: a record is named by this before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_BAND = 1 << 22  # pixels at a time: bincount copies what it is given to 64 bits


@dataclass(frozen=True, slots=True)
class Counting:
    """What is asked of objects, by the options of the kinds that are written.

    threshold: the least value of a mask, or score of a box. min_size: the least area in pixels.
    exclude_edges: those that touch an edge of the picture are left out.
    numbered: whether a kind that numbers the objects of a mask is written; only then are they counted.
    """

    threshold: float = 0.5
    min_size: int = 0
    exclude_edges: bool = False
    numbered: bool = False


def counting_of(params: Any, default: Counting = Counting()) -> Counting:
    """What the options of a kind ask of objects; what it has no option for is as in `default`."""
    return Counting(
        getattr(params, "threshold", default.threshold),
        getattr(params, "min_size", default.min_size),
        getattr(params, "exclude_edges", default.exclude_edges),
        numbered=hasattr(params, "min_size"),
    )


def areas_of(numbered: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The pixels of each number, or the sum of their weights. Shape: ``(H, W)`` int32 to ``(N + 1,)`` float64."""
    import numpy as np

    count = int(numbered.max(initial=0)) + 1
    sums = np.zeros(count)
    parts = 1 + numbered.size // _BAND
    bands = np.array_split(numbered, parts)
    of_bands = [None] * parts if weights is None else np.array_split(weights, parts)
    for band, weight in zip(bands, of_bands, strict=True):
        sums += np.bincount(band.ravel(), None if weight is None else weight.ravel(), minlength=count)
    return sums


def selected(numbered: np.ndarray, counting: Counting) -> np.ndarray:
    """The objects that count, numbered anew from 1 in their order. Shape: ``(H, W)`` int32, kept."""
    if not (counting.min_size > 1 or counting.exclude_edges) or not numbered.size:
        return numbered
    import numpy as np

    kept = areas_of(numbered) >= max(1, counting.min_size)
    kept[0] = False
    if counting.exclude_edges:
        for edge in (numbered[0], numbered[-1], numbered[:, 0], numbered[:, -1]):
            kept[edge] = False
    return np.asarray(np.where(kept, np.cumsum(kept), 0).astype(np.int32)[numbered])
