"""Find the range of values that a microscopy picture uses.

Cameras store 10 to 14 bits in 16, and an exposure uses a part of these, so that such pictures are far darker than the
pictures that networks are trained on.
"""

from __future__ import annotations

import math

import numpy as np

from imgai.images.range import Range

_MOST = 4_000_000  # maximum number of values sampled from a page
_DARK = 0.01  # quantile of all values used as the low end
_BRIGHT = 0.999  # quantile of the block minima used as the high end
_NOISE = 48.0  # minimum width of a range, in standard deviations of the noise
_APART = 4  # distance in pixels of the second difference that estimates noise, because cameras often blur noise
_SKEWNESS, _KURTOSIS = (-0.2, 0.3), (2.7, 3.6)  # of a Gaussian 0 and 3; of pictures of nuclei they are elsewhere
_FARTHEST = 5.5  # maximum distance from the mean, in standard deviations: an object reaches farther
_FEWEST = 3  # quantization steps; all values within so many are noise
_LARGEST_STEP = 256  # 8 bits stored in 16


class Values:
    """Histograms of pages that share a scale, from which their range is computed."""

    def __init__(self, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> None:
        self._largest = int(np.iinfo(dtype).max)
        self._all, self._minima = (np.zeros(self._largest + 1, np.int64) for _ in range(2))
        self._bends = np.zeros(4 * self._largest + 1, np.int64)

    def add(self, pixels: np.ndarray) -> None:
        """Add a page; large pages are sampled in evenly spaced pairs of rows. Shape: ``(C, H, W)`` uint8 or uint16."""
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
        """Return the range, ignoring hot pixels; None if all values are equal or nothing but noise.

        It is at least `_NOISE` times the noise, so that the noise of an empty picture is not stretched. The high end is
        a quantile of the minima of 2 x 2 blocks; if only noise is below it, the largest minimum is used, so that a
        single object in a large field counts.
        """
        if np.count_nonzero(self._all) < 2 or self._is_noise():
            return None
        low = _quantile(self._all, _DARK)
        # The lower quartile of a Gaussian's absolute deviations, and the variance 1 + 4 + 1 of a second difference; up
        # to three quarters of the values may be edges. At least half a quantization step.
        noise = max(_quantile(self._bends, 0.25) / 0.3186 / math.sqrt(6), _step(self._all) / 2)
        high = float(_quantile(self._minima, _BRIGHT))
        if high - low <= _NOISE * noise:
            high = float(_quantile(self._minima, 1.0))
        high = max(high, low + _NOISE * noise)
        light = 2 * _quantile(self._all, 0.5) > low + high
        return Range(low / self._largest, high / self._largest, light)

    def _is_noise(self) -> bool:
        """Whether the values have the distribution of noise, however smooth: then there is no contrast to stretch.

        Smoothed noise looks like nuclei once it is stretched. The minima of blocks are used, without hot pixels.
        """
        values = np.flatnonzero(self._minima)
        if not values.size:
            return False
        if values[-1] - values[0] <= _FEWEST * _step(self._all):
            return True
        shares = self._minima[values] / self._minima[values].sum()
        centred = values - (shares * values).sum()
        scores = centred / math.sqrt((shares * centred**2).sum())
        return (
            _SKEWNESS[0] < (shares * scores**3).sum() < _SKEWNESS[1]
            and _KURTOSIS[0] < (shares * scores**4).sum() < _KURTOSIS[1]
            and bool(np.abs(scores).max() < _FARTHEST)
        )


def _count(histogram: np.ndarray, values: np.ndarray) -> None:
    if values.size:
        histogram += np.bincount(values.ravel(), minlength=len(histogram))


def _quantile(histogram: np.ndarray, share: float) -> int:
    """Return the smallest value that this fraction of all values does not exceed."""
    sums = np.cumsum(histogram)
    return int(np.searchsorted(sums, share * sums[-1])) if sums[-1] else 0


def _step(histogram: np.ndarray) -> float:
    """Return the quantization step: 16 if 12 bits of a camera were shifted or scaled to 16.

    1 if the step does not correspond to a number of bits.
    """
    step = float(np.median(np.diff(np.flatnonzero(histogram))))
    power = 2.0 ** round(math.log2(step))
    return step if power <= _LARGEST_STEP and abs(step - power) <= 0.03 * power else 1.0
