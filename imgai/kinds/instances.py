"""Numbered objects of a mask."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from imgai.sample import Mask

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def instances(mask: Mask, threshold: float) -> list[tuple[str, np.ndarray]]:
    """For each class its name and its objects, numbered from 1; 0 is the background.

    The model's own `Predictor.instances` where it has one (then under the first class's name); otherwise
    what touches, corners too, is one object.

    Shape: ``(H, W)`` int32 each.
    """
    if mask.predictor.instances is not None:
        maps = mask.values.numpy().astype(np.float32) / 255
        return [(mask.labels[0], np.asarray(mask.predictor.instances(maps, threshold), dtype=np.int32))]
    return [
        (label, np.asarray(ndimage.label(inside(mask, index, threshold), _EIGHT_NEIGHBOURS, output=np.int32)[0]))
        for index, label in enumerate(mask.labels)
    ]


def inside(mask: Mask, index: int, threshold: float) -> np.ndarray:
    """Where one class is at least the threshold. Shape: ``(H, W)`` bool.

    With several classes a pixel may belong to more than one, as the model says.
    """
    # A soft 0 is never inside, so that a threshold of 0 means "anything at all".
    return np.asarray(mask.values[index].numpy() >= max(1, round(threshold * 255)))
