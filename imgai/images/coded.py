"""Make ICC profiles from other descriptions of colour spaces in files.

Supported are code points of ITU-T H.273 (the cICP chunk of PNG, the nclx box of AVIF and HEIC), and PNG's gAMA and
cHRM.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from imgai.images import icc
from imgai.images.isobmff import properties

_PRIMARIES = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
_SRGB, _UNSPECIFIED, _SRGB_CURVE, _PQ, _HLG = 1, 2, 13, 16, 18
_WHITES = {4: (0.310, 0.316), 11: (0.314, 0.351)}
_REC709 = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_SMPTE240 = (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913)
_CURVES: dict[int, tuple[float, ...] | np.ndarray] = {
    4: (2.2,),
    5: (2.8,),
    7: _SMPTE240,
    8: (1.0,),
    _SRGB_CURVE: icc.SRGB_CURVE,
    17: (np.linspace(0, 1, 4096) ** 2.6 * 52.37 / 48).clip(0, 1),  # SMPTE ST 428-1
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _REC709),
}
_WHITE_NITS = 203  # luminance of diffuse white in PQ (ITU-R BT.2408)


def is_hdr(transfer: int) -> bool:
    """Whether a transfer function is for high dynamic range."""
    return transfer in (_PQ, _HLG)


def is_known(primaries: int, transfer: int) -> bool:
    """Whether these code points say what the colours are."""
    known = transfer in _CURVES or is_hdr(transfer)
    return (primaries in (_SRGB, *_PRIMARIES) and (known or transfer == _UNSPECIFIED)) or (
        primaries == _UNSPECIFIED and known
    )


def doubt(primaries: int, transfer: int) -> tuple[str, ...]:
    """Return what is to be said of code points that are not known."""
    if is_known(primaries, transfer) or (primaries, transfer) == (_UNSPECIFIED, _UNSPECIFIED):
        return ()
    return (f"its colours (primaries {primaries}, transfer {transfer}) are not known, and taken for sRGB",)


def profile(primaries: int, transfer: int, *, gray: bool = False) -> bytes | None:
    """Return the profile for code points; None for sRGB, unspecified and unknown code points.

    Where one of them is unspecified, it is taken for that of sRGB.
    For high dynamic range, values brighter than diffuse white are clipped to white.
    """
    if not is_known(primaries, transfer):
        return None
    usual = transfer in (1, _UNSPECIFIED, 6, _SRGB_CURVE)
    if usual and (gray or primaries in (_SRGB, _UNSPECIFIED)):
        return None
    colors = None if gray else _PRIMARIES.get(primaries, icc.SRGB_PRIMARIES)
    curve = _hdr(transfer) if is_hdr(transfer) else _CURVES.get(transfer, icc.SRGB_CURVE)
    return icc.build(colors, curve, white=_WHITES.get(primaries, icc.D65), name=f"H.273 {primaries}/{transfer}")


def of_png(gamma: int | None, chromaticities: tuple[int, ...] | None, *, gray: bool = False) -> bytes | None:
    """Return the profile for the stored gAMA and cHRM of a PNG; None if they equal sRGB by libpng's tolerance."""
    exponent = 100_000 / gamma if gamma else None
    usual_curve = exponent is None or abs(exponent - 2.2) < 0.1
    if gray:
        return None if usual_curve or exponent is None else icc.build(None, (exponent,), name="PNG gAMA")
    points = [value / 100_000 for value in chromaticities] if chromaticities else []
    white, colors = icc.D65, icc.SRGB_PRIMARIES
    if len(points) == 8 and min(points[1::2]) > 0:
        white = (points[0], points[1])
        colors = ((points[2], points[3]), (points[4], points[5]), (points[6], points[7]))
    flat = [value for point in (*colors, white) for value in point]
    usual = [value for point in (*icc.SRGB_PRIMARIES, icc.D65) for value in point]
    near = max(abs(one - other) for one, other in zip(flat, usual, strict=True)) < 0.005
    if near and usual_curve:
        return None
    curve = icc.SRGB_CURVE if exponent is None or abs(exponent - 2.2) < 0.01 else (exponent,)
    return icc.build(colors, curve, white=white, name="PNG gAMA and cHRM")


def of_box(source: Path | bytes) -> tuple[int, int] | None:
    """Return the code points in the nclx box of an AVIF's primary picture; None if there is none."""
    for kind, content in properties(source):
        if kind == b"colr" and content[:4] == b"nclx" and len(content) >= 8:
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            return primaries, transfer
    return None


def _hdr(transfer: int) -> np.ndarray:
    signal = np.linspace(0, 1, 4096)
    if transfer == _PQ:  # SMPTE ST 2084
        power = signal ** (1 / 78.84375)
        light = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        return np.asarray((light * 10_000 / _WHITE_NITS).clip(0, 1))
    a, b, c = 0.17883277, 0.28466892, 0.55991073  # ARIB STD-B67; white is 75 % of the signal
    light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return np.asarray((light / ((np.exp((0.75 - c) / a) + b) / 12)).clip(0, 1))


def adobe_rgb() -> bytes:
    """Return the profile for Adobe RGB, which cameras mark by the EXIF interoperability index R03 (DCF 2.0)."""
    return icc.build(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (2.19921875,), name="Adobe RGB (1998) compatible")
