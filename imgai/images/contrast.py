"""The range of values that a picture of microscopy uses, of the whole scale that its file could hold.

A camera writes 10 to 14 bits into 16, and an exposure uses a part of those: what is in such a picture is far darker
than what networks are trained on.
"""

from __future__ import annotations

import math

import numpy as np

from imgai.images.range import Range

_MOST = 4_000_000  # values that are looked at in one page
_DARK = 0.01  # of all values, those that lie at or below the low end
_BRIGHT = 0.999  # of the least values of blocks, those that lie at or below the high end
_NOISE = 48.0  # the least width of a range, in standard deviations of the noise
_APART = 4  # pixels between the values whose bend is looked at; noise is often blurred by the camera
_LARGEST_STEP = 256  # of 8 bits in 16


class Values:
    """What is counted of the values of pages that share a scale, to find the range that they use."""

    def __init__(self, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> None:
        self._largest = int(np.iinfo(dtype).max)
        self._all, self._minima = (np.zeros(self._largest + 1, np.int64) for _ in range(2))
        self._bends = np.zeros(4 * self._largest + 1, np.int64)

    def add(self, pixels: np.ndarray) -> None:
        """Count a page, of a large one evenly spaced pairs of rows. Shape: ``(C, H, W)`` uint8 or uint16"""
        channels, height, width = pixels.shape
        pair = min(2, height)
        pairs = pixels[:, : height // pair * pair].reshape(channels, height // pair, pair, width)
        rows = pairs[:, :: math.ceil(pixels.size / _MOST)]
        _count(self._all, rows)
        across = min(2, width)
        blocks = rows[..., : width // across * across].reshape(*rows.shape[:3], width // across, across)
        _count(self._minima, blocks.min(axis=(2, 4)))
        signed = rows.astype(np.int32)
        left, middle, right = signed[..., : -2 * _APART], signed[..., _APART:-_APART], signed[..., 2 * _APART :]
        _count(self._bends, np.abs(left - 2 * middle + right))

    def range(self) -> Range | None:
        """The range, without single pixels that are stuck; None where all is of one value.

        It is at least as wide as some dozens of times the noise, so that of an empty picture it is not the noise
        that is stretched. The high end is what few blocks of 2 x 2 pixels are wholly above, but where only noise lies
        below that, it is the brightest of them: a lone object in a large field counts.
        """
        if np.count_nonzero(self._all) < 2:
            return None
        low = _quantile(self._all, _DARK)
        # What a quarter of a Gaussian's deviations lie below, and 1 + 4 + 1: up to three quarters may be edges. But at
        # least half of a step of the values that there are.
        noise = max(_quantile(self._bends, 0.25) / 0.3186 / math.sqrt(6), _step(self._all) / 2)
        high = float(_quantile(self._minima, _BRIGHT))
        if high - low <= _NOISE * noise:
            high = float(_quantile(self._minima, 1.0))
        high = max(high, low + _NOISE * noise)
        light = 2 * _quantile(self._all, 0.5) > low + high
        return Range(low / self._largest, high / self._largest, light)


def _count(histogram: np.ndarray, values: np.ndarray) -> None:
    if values.size:
        histogram += np.bincount(values.ravel(), minlength=len(histogram))


def _quantile(histogram: np.ndarray, share: float) -> int:
    """The least value that this share of all is at or below."""
    sums = np.cumsum(histogram)
    return int(np.searchsorted(sums, share * sums[-1])) if sums[-1] else 0


def _step(histogram: np.ndarray) -> float:
    """How far apart neighbouring values are: 16 where a camera's 12 bits were shifted or scaled into 16.

    1 for what no number of bits makes.
    """
    step = float(np.median(np.diff(np.flatnonzero(histogram))))
    power = 2.0 ** round(math.log2(step))
    return step if power <= _LARGEST_STEP and abs(step - power) <= 0.03 * power else 1.0
