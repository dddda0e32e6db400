"""A range of a file's values, told without NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgai.plugin import Metadata

_MARGIN = 0.04  # of the range, what its low end is shown above black: noise of the background is not cut


@dataclass(frozen=True, slots=True)
class Range:
    """The ends of a range, as fractions of the scale. light: most of the picture is nearer to the high end."""

    low: float
    high: float
    light: bool = False

    @property
    def width(self) -> float:
        return self.high - self.low

    def ends(self, share: float) -> tuple[float, float]:
        """What becomes 0 and 1 where the range is to take that share of the scale, as fractions of the scale.

        Where the background is light, it becomes white: the range takes all of the scale.
        """
        if self.light:
            return self.low, self.high
        width = self.width / (share * (1 - _MARGIN))
        low = self.low - share * _MARGIN * width
        return low, low + width


def numbers(of: Range, metadata: Metadata) -> tuple[float, float]:
    """The ends of a range in the numbers of the file."""
    black, white = _scale(metadata)
    one, other = (black + end * (white - black) for end in (of.low, of.high))
    return min(one, other), max(one, other)


def of_numbers(low: float, high: float, metadata: Metadata) -> Range:
    """A range that is given in the numbers of the file."""
    black, white = _scale(metadata)
    one, other = ((end - black) / (white - black) for end in (low, high))
    return Range(min(one, other), max(one, other))


def _scale(metadata: Metadata) -> tuple[float, float]:
    """The numbers of the file that its pixels have at 0 and at their largest; of a constant file they may be equal."""
    black, white = metadata.values or (0.0, float(2**metadata.depth - 1))
    return black, white if white != black else black + 1
