"""The ``labels`` kind: every object of a mask numbered from 1."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from imgai.images import encode_png, metadata_of
from imgai.kinds.numbered import numbered
from imgai.plugin import Page, Rendered

_LARGEST_16_BIT = 65535


def render(page: Page) -> Iterator[Rendered]:
    """A file for each class, or one where the model tells objects apart; 0 is the background.

    A PNG of 16 bits, or a TIFF where that is asked for, or where there are more objects than 16 bits can number: it
    then has 32.
    """
    classes = numbered(page)
    dpi = metadata_of(page.sample).dpi
    for label, numbers, _ in classes:
        named = label if len(classes) > 1 else None
        deep = int(numbers.max(initial=0)) > _LARGEST_16_BIT
        values = numbers.astype(np.uint32 if deep else np.uint16)
        if deep or page.suffix == ".tif" or (page.suffix == "" and page.params.labels == "tiff"):
            yield Rendered(_tiff(values, dpi), ".tif", named)
        else:
            yield Rendered(encode_png(values, dpi=dpi), ".png", named)


def _tiff(numbers: np.ndarray, dpi: tuple[float, float] | None) -> bytes:
    import tifffile

    file = io.BytesIO()
    about: dict[str, Any] = {} if dpi is None else {"resolution": dpi, "resolutionunit": "INCH"}
    tifffile.imwrite(file, numbers, compression="zlib", metadata=None, **about)
    return file.getvalue()
