"""The ``labels`` kind: every object of a mask numbered from 1."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from imgai.images import encode_png
from imgai.plugin import Page, Rendered

_LARGEST_16_BIT = 65535


def render(page: Page) -> Iterator[Rendered]:
    """A file for each class, or one where the model tells objects apart; 0 is the background.

    A PNG of 16 bits; a TIFF of 32 bits where there are more objects than 16 bits can number, or where a TIFF is asked
    for by name.
    """
    numbered = page.output.objects(page.params.threshold)
    for label, numbers in numbered:
        named = label if len(numbered) > 1 else None
        if page.suffix in ("", ".png") and int(numbers.max(initial=0)) <= _LARGEST_16_BIT:
            yield Rendered(encode_png(numbers.astype(np.uint16)), ".png", named)
        else:
            yield Rendered(_tiff(numbers), ".tif", named)


def _tiff(numbers: np.ndarray) -> bytes:
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, numbers.astype(np.uint32), compression="zlib", metadata=None)
    return file.getvalue()
