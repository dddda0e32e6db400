"""The ``mask`` kind: the values of each class in 256 levels."""

from __future__ import annotations

from collections.abc import Iterator

from imgai.images import encode_png, metadata_of
from imgai.kinds.classes import each_class
from imgai.outputs.mask import Mask
from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield a grey 8-bit PNG for each class; 255 is 1.0."""
    mask: Mask = page.output
    for index, label in each_class(mask):
        yield Rendered(encode_png(mask.values[index].numpy(), dpi=metadata_of(page.sample).dpi), ".png", label)
