"""The ``heat`` kind of scores: the picture in grey, and in colour where it speaks for a label."""

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
from imgai.outputs.scores import Scores
from imgai.plugin import Page, Rendered
from imgai.sample import Sample

_MOST = 0.6
"""How much of the colour is seen where the heat is greatest."""


def render(page: Page) -> Iterator[Rendered]:
    """A JPEG. The label that it explains is in the record, and not in the file's name."""
    scores: Scores = page.output
    yield Rendered(heat(page.sample, scores), ".jpg", record={"label": scores.labels[scores.explained]})


def heat(sample: Sample, scores: Scores) -> bytes:
    """A JPEG: the picture in grey, and over the part that the network saw the heat in colour."""
    if scores.heat is None:
        raise UsageError("the scores were not explained, so there is no heat map", "ask for --explain gradcam")
    assert scores.seen is not None
    top, left, height, width = scores.seen
    pixels = on_paper(to_pixels(sample))
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    shown = np.repeat(grey[..., None], 3, axis=2)
    values = F.interpolate(scores.heat[None, None], (height, width), mode="bicubic").clamp_(0, 1)
    colors = ApplyColorMap(ColorMap("plasma", num_colors=256))(values)[0].permute(1, 2, 0)
    weight = (_MOST * values[0, 0].sqrt())[..., None]
    part = torch.from_numpy(shown[top : top + height, left : left + width].copy()).float()
    mixed = part * (1 - weight) + 255 * colors * weight
    shown[top : top + height, left : left + width] = mixed.add_(0.5).clamp_(0, 255).to(torch.uint8).numpy()
    return encoded(shown, sample, ".jpg")
