"""Whether one model is better than another on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SAMPLES, LEVEL, _AT_ONCE = 10_000, 0.95, 2_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of means over pictures, with its interval. pictures: the number that both have a figure for."""

    mean: float
    low: float
    high: float
    pictures: int

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def difference(
    one: Mapping[str, Mapping[str, float | None]], other: Mapping[str, Mapping[str, float | None]], figure: str
) -> Difference | None:
    """The mean over pictures of other's figure less one's, with the bootstrap's 95 % interval (percentiles).

    Pictures are drawn again, pairs kept; the draws are the same at every call. None where no picture has both.
    """
    pairs = [
        (mine, theirs)
        for name, figures in one.items()
        if name in other
        and (mine := figures.get(figure)) is not None
        and (theirs := other[name].get(figure)) is not None
    ]
    if not pairs:
        return None
    gaps = np.array([theirs - mine for mine, theirs in pairs])
    random = np.random.default_rng(0)
    rounds = max(1, _AT_ONCE // len(gaps))
    means = np.concatenate(
        [
            gaps[random.integers(0, len(gaps), (min(rounds, SAMPLES - begin), len(gaps)))].mean(axis=1)
            for begin in range(0, SAMPLES, rounds)
        ]
    )
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Difference(float(gaps.mean()), float(low), float(high), len(gaps))
