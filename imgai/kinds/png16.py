"""The ``png16`` kind of maps: a 16-bit PNG."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from imgai.images import encode_png, metadata_of
from imgai.kinds.levels import normalized
from imgai.plugin import Page, Rendered

_LEVELS = 65535


def render(page: Page) -> Iterator[Rendered]:
    """Yield a grey 16-bit PNG. The value is ``level * scale + offset``; both are in the record."""
    parts, low, high = normalized(page.output)
    levels = np.round(parts * _LEVELS).astype(np.uint16)
    about = {"scale": (high - low) / _LEVELS, "offset": low}
    if page.output.unit is not None:
        about["unit"] = page.output.unit
    yield Rendered(encode_png(levels, dpi=metadata_of(page.sample).dpi), ".png", record=about)
