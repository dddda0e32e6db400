"""The requested output size of a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from imgai.errors import InputError, UsageError
from imgai.options import LARGEST, SizeOptions


@dataclass(frozen=True, slots=True)
class Size(SizeOptions):
    """The requested size; the aspect ratio is kept.

    Raises UsageError if no size is given, or if two contradict each other.
    """

    def __post_init__(self) -> None:
        ways = [self.scale is not None, self.width is not None or self.height is not None, self.megapixels is not None]
        if sum(ways) != 1:
            raise UsageError("a size is asked for in one way", "give --scale, or --width and --height, or --megapixels")
        if self.scale is not None and not 1 <= self.scale <= LARGEST:
            raise UsageError(f"--scale cannot be {self.scale:g}", f"it takes a number from 1 to {LARGEST:g}")
        if any(value is not None and not value > 0 for value in (self.width, self.height, self.megapixels)):
            raise UsageError("a picture has at least one pixel", "give sizes above 0")

    def factor(self, height: int, width: int) -> float:
        """Return the scale factor for the sides of a picture of that size (pixels)."""
        if self.scale is not None:
            return self.scale
        if self.megapixels is not None:
            return math.sqrt(self.megapixels * 1e6 / (height * width))
        return min(
            math.inf if self.width is None else self.width / width,
            math.inf if self.height is None else self.height / height,
        )

    def target(self, height: int, width: int, name: str) -> tuple[int, int]:
        """Return the output height and width (pixels) for a picture of that size.

        Raises InputError, which names the picture, for a factor above 8.
        """
        factor = self.factor(height, width)
        if factor > LARGEST:
            raise InputError(
                f"{name}: {width}x{height} pixels would grow {factor:.1f} times along a side",
                f"ask for a size of at most {LARGEST:g} times",
            )
        return max(1, round(height * factor)), max(1, round(width * factor))

    @property
    def most(self) -> float:
        """Return the largest factor that any picture may need."""
        return self.scale or LARGEST
