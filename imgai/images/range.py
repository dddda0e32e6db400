"""A range of a file's values. This module does not import NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgai.plugin import Metadata

_MARGIN = 0.04  # margin below the low end, as a fraction of the range, so that background noise is not clipped


@dataclass(frozen=True, slots=True)
class Range:
    """The ends of a range, as fractions of full scale. light: most of the picture is closer to the high end."""

    low: float
    high: float
    light: bool = False

    @property
    def width(self) -> float:
        return self.high - self.low

    def ends(self, share: float) -> tuple[float, float]:
        """Return the values that map to 0 and 1 if the range is stretched to that fraction of full scale.

        A light background becomes white: the range is then stretched to full scale.
        """
        if self.light:
            return self.low, self.high
        width = self.width / (share * (1 - _MARGIN))
        low = self.low - share * _MARGIN * width
        return low, low + width


def numbers(of: Range, metadata: Metadata) -> tuple[float, float]:
    """Return the ends of a range in the numbers of the file."""
    black, white = _scale(metadata)
    one, other = (black + end * (white - black) for end in (of.low, of.high))
    return min(one, other), max(one, other)


def of_numbers(low: float, high: float, metadata: Metadata) -> Range:
    """Make a range from numbers of the file."""
    black, white = _scale(metadata)
    one, other = ((end - black) / (white - black) for end in (low, high))
    return Range(min(one, other), max(one, other))


def _scale(metadata: Metadata) -> tuple[float, float]:
    """Return the numbers of the file that correspond to 0 and full scale; equal for a constant file."""
    black, white = metadata.values or (0.0, float(2**metadata.depth - 1))
    return black, white if white != black else black + 1
