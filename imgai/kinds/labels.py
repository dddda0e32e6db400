"""The ``labels`` kind: every object of a mask numbered from 1."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from imgai.images import encode_png, metadata_of
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
            yield Rendered(encode_png(numbers.astype(np.uint16), dpi=metadata_of(page.sample).dpi), ".png", named)
        else:
            yield Rendered(_tiff(numbers, metadata_of(page.sample).dpi), ".tif", named)


def _tiff(numbers: np.ndarray, dpi: tuple[float, float] | None) -> bytes:
    import tifffile

    file = io.BytesIO()
    about: dict[str, Any] = {} if dpi is None else {"resolution": dpi, "resolutionunit": "INCH"}
    tifffile.imwrite(file, numbers.astype(np.uint32), compression="zlib", metadata=None, **about)
    return file.getvalue()
