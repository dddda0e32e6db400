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
    """Yield a file for each class, or a single one if the model separates objects; 0 is the background.

    The file is a 16-bit PNG, or a TIFF if the options ask for it or if there are more objects than 16 bits can number;
    it then has 32 bits.
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
