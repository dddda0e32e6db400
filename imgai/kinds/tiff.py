"""The ``tiff`` kind of maps: the unscaled values as 32-bit float."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import tifffile

from imgai.outputs.map import Map
from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield a TIFF with one channel, compressed losslessly."""
    map_: Map = page.output
    file = io.BytesIO()
    options: dict[str, Any] = (
        {"resolution": page.sample.metadata.dpi, "resolutionunit": "INCH"} if page.sample.metadata.dpi else {}
    )
    tifffile.imwrite(
        file, map_.values[0].numpy(), photometric="minisblack", compression="zlib", metadata=None, software=False,
        **options,
    )  # fmt: skip
    yield Rendered(file.getvalue(), page.suffix or ".tif", record={} if map_.unit is None else {"unit": map_.unit})
