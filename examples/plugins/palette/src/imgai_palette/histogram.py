"""The ``histogram`` model: the mean colours of the fullest cells of a histogram with 4 levels a channel."""

from typing import Any

import torch
from torch import Tensor

from imgai.plugin import LoadContext, Predictor

_LEVELS = 4


def load(context: LoadContext) -> Predictor:
    """Load the model."""
    count = context.params.colors

    def palette(pixels: Tensor) -> dict[str, Any]:
        """Shape: ``(3, N)`` in [0, 1]."""
        levels = (pixels * _LEVELS).long().clamp(max=_LEVELS - 1)
        cells = levels[0] * _LEVELS**2 + levels[1] * _LEVELS + levels[2]
        parts = torch.bincount(cells, minlength=_LEVELS**3) / cells.numel()
        colors = []
        for cell in parts.argsort(descending=True, stable=True)[:count].tolist():
            if parts[cell] > 0:
                red, green, blue = (pixels[:, cells == cell].mean(dim=1) * 255).round().int().tolist()
                colors.append({"color": f"#{red:02x}{green:02x}{blue:02x}", "part": round(float(parts[cell]), 4)})
        return {"text": " ".join(each["color"] for each in colors), "colors": colors}

    return Predictor(
        network=lambda image: image.flatten(2), postprocess=lambda pixels: [palette(each) for each in pixels]
    )
