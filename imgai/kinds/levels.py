"""Normalization of a map by its range."""

from __future__ import annotations

import numpy as np

from imgai.outputs.map import Map


def normalized(map_: Map) -> tuple[np.ndarray, float, float]:
    """Return the values scaled from their range to [0, 1], and the ends of the range.

    The range is the one that the model declares, else that of the finite values of this page. Values outside of it are
    clamped; NaN becomes 0. Shape: ``(H, W)`` float64 in [0, 1].
    """
    values = map_.values[0].numpy().astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = map_.range or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0))
    span = high - low
    if span <= 0:
        return np.zeros_like(values), low, low
    return np.nan_to_num((values - low) / span, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1), low, high
