"""The ``color`` kind of maps: the values in false colour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from kornia.color import ApplyColorMap, ColorMap

from imgai.kinds.levels import normalized
from imgai.kinds.paint import encoded
from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield a PNG, or a JPEG if the output file is named so; the smallest value has the first colour of the map."""
    parts, _, _ = normalized(page.output)
    table = ApplyColorMap(ColorMap(page.params.color_map, num_colors=256))
    colors = table(torch.from_numpy(parts).float()[None, None])[0].permute(1, 2, 0)
    pixels = (colors.numpy() * 255 + 0.5).astype(np.uint8)
    suffix = page.suffix or ".png"
    yield Rendered(encoded(pixels, page.sample, suffix), suffix)
