"""Which objects of a mask or boxes are counted.

NumPy is imported on first use, because records refer to this module before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SPECK, UNSURE, FEW_PARTS = 0.01, 0.95, 0.1
"""A speck is smaller than this fraction of the largest part, and its mask is nowhere above this value. If the largest
part is less than a tenth of the total, as with the letters of a page, no part is a speck."""
_BAND = 1 << 22  # pixels at a time: bincount copies what it is given to 64 bits


@dataclass(frozen=True, slots=True)
class Counting:
    """Which objects are counted, from the options of the kinds that are written.

    threshold: the minimum value of a mask, or score of a box. min_size: the minimum area in pixels; 0: all but specks.
    exclude_edges: leave out objects that touch an edge of the picture.
    numbered: whether a kind that numbers the objects of a mask is written; only then are they counted.
    """

    threshold: float = 0.5
    min_size: int = 0
    exclude_edges: bool = False
    numbered: bool = False


def counting_of(params: Any, default: Counting = Counting()) -> Counting:
    """Make a `Counting` from the options of a kind; values without an option are taken from `default`."""
    return Counting(
        getattr(params, "threshold", default.threshold),
        getattr(params, "min_size", default.min_size),
        getattr(params, "exclude_edges", default.exclude_edges),
        numbered=hasattr(params, "min_size"),
    )


def areas_of(numbered: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the area of each object, or the sum of weights. Shape: ``(H, W)`` int32 to ``(N + 1,)`` float64."""
    import numpy as np

    if weights is None and numbered.size:
        _, lengths, numbers = _runs(numbered)
        return np.bincount(numbers, lengths)
    count = int(numbered.max(initial=0)) + 1
    sums = np.zeros(count)
    parts = 1 + numbered.size // _BAND
    bands = np.array_split(numbered, parts)
    of_bands = [None] * parts if weights is None else np.array_split(weights, parts)
    for band, weight in zip(bands, of_bands, strict=True):
        sums += np.bincount(band.ravel(), None if weight is None else weight.ravel(), minlength=count)
    return sums


def _runs(numbered: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the start, length and object number of horizontal runs, of which there are far fewer than pixels."""
    import numpy as np

    flat = numbered.ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    return starts, np.diff(starts, append=flat.size), flat[starts]


def surely(numbered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Remove the specks of a mask, as a clean cut-out does, and renumber from 1.

    Shape: numbered ``(H, W)`` int32, kept; values ``(H, W)`` uint8.
    """
    import numpy as np

    if not numbered.size:
        return numbered
    starts, lengths, numbers = _runs(numbered)
    areas = np.bincount(numbers, lengths)
    largest = areas[1:].max(initial=0)
    small = areas < SPECK * largest
    small[0] = False
    if not small.any() or largest < FEW_PARTS * areas[1:].sum():
        return numbered
    # The maximum of every run decides whether its part is certain.
    runs = np.flatnonzero(small[numbers])
    ends = np.stack((starts[runs], starts[runs] + lengths[runs]), 1).ravel()
    ends = ends[:-1] if ends[-1] == values.size else ends
    highest = np.maximum.reduceat(values.ravel(), ends)[::2]
    small[numbers[runs[highest >= UNSURE * 255]]] = False
    if not small.any():
        return numbered
    kept = ~small
    kept[0] = False
    renumbered = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return np.asarray(np.repeat(renumbered[numbers], lengths).reshape(numbered.shape))


def selected(numbered: np.ndarray, counting: Counting) -> np.ndarray:
    """Select the objects that count, and renumber from 1 in the same order. Shape: ``(H, W)`` int32, unchanged."""
    if not (counting.min_size > 1 or counting.exclude_edges) or not numbered.size:
        return numbered
    import numpy as np

    kept = areas_of(numbered) >= max(1, counting.min_size)
    kept[0] = False
    if counting.exclude_edges:
        for edge in (numbered[0], numbered[-1], numbered[:, 0], numbered[:, -1]):
            kept[edge] = False
    return np.asarray(np.where(kept, np.cumsum(kept), 0).astype(np.int32)[numbered])
