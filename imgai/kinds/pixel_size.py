"""What a pixel measures in the world, where that is known."""

from __future__ import annotations

from imgai.images import metadata_of
from imgai.sample import Sample

_UM_PER_INCH = 25_400
_LARGEST = 10.0
"""Micrometres. A resolution of larger pixels is one for printing or of a scan, not of a microscope."""


def pixel_size(sample: Sample, asked: float | None) -> tuple[float, float] | None:
    """Micrometres across and down of a pixel as the picture is now; None where nobody says.

    asked: of a pixel of the file, by who asks; it counts before what the file says: OME, ImageJ and DICOM tell what
    a pixel measures; other files a resolution, which is taken for a measure where a pixel is at most 10 micrometres.
    """
    metadata = metadata_of(sample)
    if asked is not None:
        height, width = sample.metadata.full or (sample.height, sample.width)
        return asked * width / sample.width, asked * height / sample.height
    if metadata.pixel_size is not None:
        return metadata.pixel_size
    if metadata.dpi is None or min(metadata.dpi) < _UM_PER_INCH / _LARGEST:
        return None
    return _UM_PER_INCH / metadata.dpi[0], _UM_PER_INCH / metadata.dpi[1]
