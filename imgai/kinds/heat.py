"""The ``heat`` kind of scores and masks: a saliency map in colour over the grey picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from kornia.color import ApplyColorMap, ColorMap
from PIL import Image
from torch.nn import functional as F

from imgai.errors import UsageError
from imgai.images import to_pixels
from imgai.kinds.paint import encoded, on_paper
from imgai.outputs.mask import Mask
from imgai.outputs.scores import Scores
from imgai.plugin import Page, Rendered
from imgai.sample import Sample

_MOST = 0.6
"""The opacity of the colour where the map is greatest."""


def render(page: Page) -> Iterator[Rendered]:
    """Yield a JPEG. The label that it explains is in the record, not in the file name."""
    result: Scores | Mask = page.output
    yield Rendered(heat(page.sample, result), ".jpg", record={"label": result.labels[result.explained]})


def heat(sample: Sample, result: Scores | Mask) -> bytes:
    """Encode a JPEG: the grey picture with the map in colour over the part that the network saw."""
    if result.heat is None:
        raise UsageError("nothing was explained, so there is no heat map", "ask for --explain gradcam")
    top, left, height, width = seen_by(sample, result)
    pixels = on_paper(to_pixels(sample))
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    shown = np.repeat(grey[..., None], 3, axis=2)
    values = F.interpolate(result.heat[None, None], (height, width), mode="bicubic").clamp_(0, 1)
    colors = ApplyColorMap(ColorMap("plasma", num_colors=256))(values)[0].permute(1, 2, 0)
    weight = (_MOST * values[0, 0].sqrt())[..., None]
    part = torch.from_numpy(shown[top : top + height, left : left + width].copy()).float()
    mixed = part * (1 - weight) + 255 * colors * weight
    shown[top : top + height, left : left + width] = mixed.add_(0.5).clamp_(0, 255).to(torch.uint8).numpy()
    return encoded(shown, sample, ".jpg")


def seen_by(sample: Sample, result: Scores | Mask) -> tuple[int, int, int, int]:
    """Return the part of the image that a heat map covers: top, left, height and width in pixels."""
    if isinstance(result, Scores) and result.seen is not None:
        return result.seen
    return 0, 0, sample.height, sample.width
