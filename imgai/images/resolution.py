"""The resolution of a TIFF page, from its tags or from the description that microscopy programs write."""

from __future__ import annotations

import re
from typing import Any

_PER_INCH = {2: 1.0, 3: 2.54}  # ResolutionUnit: inch, centimetre
_INCHES = {
    "inch": 1.0,
    "cm": 1 / 2.54,
    "mm": 1 / 25.4,
    "um": 1 / 25_400,
    "\u00b5m": 1 / 25_400,
    "\\u00B5m": 1 / 25_400,  # as ImageJ escapes it
    "micron": 1 / 25_400,
    "microns": 1 / 25_400,
    "nm": 1 / 25_400_000,
}
"""Units of length in ImageJ and OME, in inches."""
_IMAGEJ_UNIT = re.compile(r"^unit=(.*)$", re.MULTILINE)
_OME_SIZE = re.compile(r'PhysicalSize([XY])="([0-9.eE+-]+)"')
_OME_UNIT = re.compile(r'PhysicalSize([XY])Unit="([^"]*)"')


def of(page: Any) -> tuple[float, float] | None:
    """Return dots per inch, horizontal and vertical. None without a resolution, or if its unit is not a length."""
    description = str(getattr(page, "description", "") or "")
    across, down = (getattr(page.tags.get(name), "value", None) for name in ("XResolution", "YResolution"))
    unit = _PER_INCH.get(int(getattr(page.tags.get("ResolutionUnit"), "value", 2)))
    if description.startswith("ImageJ=") and (inches := imagej_unit(description)):
        unit = 1 / inches
    if unit is not None and across and down and across[1] and down[1]:
        x, y = across[0] / across[1] * unit, down[0] / down[1] * unit
        if x > 1 and y > 1:  # 1 is the default of pages without a resolution
            return x, y
    return _of_ome(description)


def is_measured(description: str) -> bool:
    """Whether a description states the pixel size: ImageJ with a unit of length, or OME."""
    return bool(description.startswith("ImageJ=") and imagej_unit(description)) or _of_ome(description) is not None


def imagej_unit(description: str) -> float | None:
    """Return the unit of an ImageJ description in inches; None if it has none or it is not a length."""
    match = _IMAGEJ_UNIT.search(description)
    return _INCHES.get(match[1].strip()) if match else None


def is_layout(description: str) -> bool:
    """Whether a description describes the pages of the file: ImageJ, OME or tifffile."""
    start = description.lstrip()
    return start.startswith(("ImageJ=", '{"shape"')) or (start.startswith("<?xml") and "<OME" in start)


def is_fixed(description: str) -> bool:
    """Whether a description also states the size of the pages, unlike ImageJ's."""
    return is_layout(description) and not description.startswith("ImageJ=")


def _of_ome(description: str) -> tuple[float, float] | None:
    sizes, units = dict(_OME_SIZE.findall(description)), dict(_OME_UNIT.findall(description))
    if "<OME" not in description or not {"X", "Y"} <= sizes.keys():
        return None
    try:
        steps = [float(sizes[axis]) * _INCHES.get(units.get(axis, "\u00b5m"), 0.0) for axis in "XY"]
    except ValueError:
        return None
    return (1 / steps[0], 1 / steps[1]) if min(steps) > 0 else None
