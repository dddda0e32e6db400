"""The numbered objects of a mask, shared by the kinds that write them."""

from __future__ import annotations

import numpy as np

from imgai.outputs.counting import counting_of
from imgai.outputs.mask import Mask
from imgai.plugin import Page


def numbered(page: Page) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return the name, the numbered objects and the soft mask of each class.

    All kinds share these arrays: do not write into them.

    Shape: ``(H, W)`` int32 and ``(H, W)`` uint8.
    """
    mask: Mask = page.output
    counting = counting_of(page.params)
    objects = mask.objects(counting.threshold, counting.min_size, counting.exclude_edges)
    return [(label, numbers, mask.values[index].numpy()) for index, (label, numbers) in enumerate(objects)]
