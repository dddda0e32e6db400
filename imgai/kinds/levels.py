"""The range of a map, which its values are brought to."""

from __future__ import annotations

import numpy as np

from imgai.outputs.map import Map


def normalized(map_: Map) -> tuple[np.ndarray, float, float]:
    """The values with the range as 0 to 1, and the least and the largest value of the range.

    The range is the model's; where it declares none, that of the finite values of this page. Values outside of it
    become 0 or 1, those that are no number 0. Shape: ``(H, W)`` float64 in [0, 1].
    """
    values = map_.values[0].numpy().astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = map_.range or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0))
    span = high - low
    if span <= 0:
        return np.zeros_like(values), low, low
    return np.nan_to_num((values - low) / span, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1), low, high
