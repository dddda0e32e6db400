"""The physical size of a pixel."""

from __future__ import annotations

from imgai.images import metadata_of
from imgai.sample import Sample

_UM_PER_INCH = 25_400
_LARGEST = 10.0
"""Micrometres. A resolution with larger pixels is for printing or from a scanner, not from a microscope."""


def pixel_size(sample: Sample, asked: float | None) -> tuple[float, float] | None:
    """Return the width and height of a pixel of the current image in micrometres; None if it is unknown.

    asked: the pixel size of the file given by the user, which takes precedence over the file. OME, ImageJ and DICOM
        state the pixel size; for other files the resolution is used if a pixel is at most 10 micrometres.
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
