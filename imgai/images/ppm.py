"""Netpbm's raw formats with 16 bits, which Pillow cuts to 8."""

from __future__ import annotations

import re

import numpy as np

_HEADER = re.compile(rb"P([56])(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)\s")


def decode_deep(content: bytes) -> np.ndarray | None:
    """The pixels of a P5 or P6 file of more than 8 bits, scaled to 16; None if it is another kind.

    Shape: ``(H, W)`` or ``(H, W, 3)`` uint16. Raises ValueError for a file that is too short.
    """
    found = _HEADER.match(content)
    if found is None or int(found[4]) < 256:
        return None
    kind, width, height, white = (int(value) for value in found.groups())
    shape = (height, width) if kind == 5 else (height, width, 3)
    values = np.frombuffer(content, ">u2", offset=found.end(), count=int(np.prod(shape))).reshape(shape)
    if white == 65535:
        return values.astype(np.uint16)
    return np.minimum(values.astype(np.float64) * (65535 / white) + 0.5, 65535).astype(np.uint16)
