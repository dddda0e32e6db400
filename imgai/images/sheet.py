"""The resolution of a sheet of paper: what the file says, or what a sheet of the usual size would have."""

from __future__ import annotations

from imgai.images.write import metadata_of
from imgai.sample import Sample

_LEAST = 100.0
"""Dots per inch. 72 and 96 stand in files whose maker did not know; nobody scans text at that."""
_INCHES = 11.7
"""The longer side of A4; of Letter it is 11."""


def stated_dpi(sample: Sample) -> tuple[float, float] | None:
    """Dots per inch across and down of the picture as it is now, where its file says so, or who asked for the run."""
    dpi = metadata_of(sample).dpi
    return dpi if dpi is not None and min(dpi) >= _LEAST else None


def sheet_dpi(height: int, width: int) -> float:
    """Dots per inch of a picture that shows a whole sheet of A4."""
    return max(height, width) / _INCHES


def size_at(sample: Sample, dpi: float) -> tuple[int, int]:
    """The size of the picture (H, W) at a resolution: the size that it has where it is near to it.

    Where nobody says its resolution, the picture is taken for a sheet of A4, and never enlarged: it may be a part.
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
"""What differs by less is left as it is."""
_MOST = 2.0
"""Small pictures are enlarged by no more: it would cost, and show nothing."""
