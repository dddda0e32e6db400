"""Convert 16-bit CIE L*a*b*, which Pillow does not support, to sRGB."""

from __future__ import annotations

import numpy as np

_D50 = np.array([0.96422, 1.0, 0.82521])
# XYZ of D50 to linear sRGB, adapted by Bradford's matrix (Lindbloom).
_XYZ_TO_SRGB = np.array(
    [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
)


def lab16_to_srgb(values: np.ndarray) -> np.ndarray:
    """Convert the encoding of TIFF 6.0, section 23: L* from 0 to 65535, a* and b* signed, in 256ths.

    Shape: ``(H, W, 3)`` of 16 bits to ``(H, W, 3)`` uint16.
    """
    lightness = values[..., 0].view(np.uint16) / 65535 * 100
    a, b = (values[..., channel].astype(np.uint16).view(np.int16) / 256 for channel in (1, 2))
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _D50
    linear = (xyz @ _XYZ_TO_SRGB.T).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(encoded * 65535 + 0.5).astype(np.uint16)
