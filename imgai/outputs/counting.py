"""What counts as an object: of masks what is numbered, of boxes what is listed.

NumPy is imported when it is used: a record is named by this before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SPECK, UNSURE, FEW_PARTS = 0.01, 0.95, 0.1
"""A speck has less than this share of the largest part, and its mask is nowhere above this value. Where the largest
part has less than a tenth of all, as the letters of a page have, there are none."""
_BAND = 1 << 22  # pixels at a time: bincount copies what it is given to 64 bits


@dataclass(frozen=True, slots=True)
class Counting:
    """What is asked of objects, by the options of the kinds that are written.

    threshold: the least value of a mask, or score of a box. min_size: the least area in pixels; 0: all but specks.
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
    """Where runs of one number begin, row after row, how long they are, and of which number: many times fewer than
    pixels."""
    import numpy as np

    flat = numbered.ravel()
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    return starts, np.diff(starts, append=flat.size), flat[starts]


def surely(numbered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The parts of a mask without its specks, as a clean cut-out is without them; numbered anew from 1.

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
    # The highest value of every run of these, and with it whether its part is surely one.
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
