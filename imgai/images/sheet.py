"""The resolution of a scanned page: as stated in the file, or estimated for an A4 sheet."""

from __future__ import annotations

from imgai.images.write import metadata_of
from imgai.sample import Sample

_LEAST = 100.0
"""Dots per inch. Lower values such as 72 and 96 are defaults of programs, not resolutions of scans."""
_INCHES = 11.7
"""The longer side of A4 in inches; that of Letter is 11."""


def stated_dpi(sample: Sample) -> tuple[float, float] | None:
    """Return horizontal and vertical dots per inch of the current image, if the file or the user states it."""
    dpi = metadata_of(sample).dpi
    return dpi if dpi is not None and min(dpi) >= _LEAST else None


def sheet_dpi(height: int, width: int) -> float:
    """Return the dots per inch of a picture that shows a whole A4 sheet."""
    return max(height, width) / _INCHES


def size_at(sample: Sample, dpi: float) -> tuple[int, int]:
    """Return the size (H, W) of the picture at a resolution; the current size if the difference is small.

    Without a stated resolution, an A4 sheet is assumed, and the picture is never enlarged, since it may be a part.
    """
    height, width = sample.height, sample.width
    stated = stated_dpi(sample)
    if stated is None:
        factors = (min(1.0, dpi / sheet_dpi(height, width)),) * 2
    else:
        factors = (min(_MOST, dpi / stated[1]), min(_MOST, dpi / stated[0]))
    if all(1 / _NEAR <= factor <= _NEAR for factor in factors):
        return height, width
    return max(1, round(height * factors[0])), max(1, round(width * factors[1]))


_NEAR = 1.3
"""The relative difference below which the size is not changed."""
_MOST = 2.0
"""The maximum scale factor for small pictures."""
