"""The ``binary`` kind: the thresholded mask of each class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from imgai.images import encode_png, metadata_of
from imgai.kinds.classes import each_class
from imgai.outputs.mask import Mask
from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield a PNG for each class: 255 where the mask is at or above the threshold, else 0."""
    mask: Mask = page.output
    for index, label in each_class(mask):
        values = mask.inside(index, page.params.threshold).astype(np.uint8) * 255
        yield Rendered(encode_png(values, dpi=metadata_of(page.sample).dpi), ".png", label)
