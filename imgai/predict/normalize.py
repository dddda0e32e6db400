"""The value of ``--normalize``. This module does not import torch."""

from __future__ import annotations

import math

from imgai.errors import UsageError

AUTO = "auto"
NONE = "none"

Normalize = str | tuple[float, float]
"""`AUTO`, `NONE`, or the ends of a range in the file's own numbers."""


def normalize_of(text: str) -> Normalize:
    """Parse ``auto``, ``none`` or ``LOW,HIGH``. Raises UsageError for anything else."""
    if text in (AUTO, NONE):
        return text
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        hint = "it is auto, none, or LOW,HIGH: two numbers of the file, the smaller one first, as in 100,4095"
        raise UsageError(f"--normalize cannot be {text!r}", hint)
    return low, high
