"""The ``otsu`` model: the threshold that parts the histogram best (Otsu 1979, doi:10.1109/TSMC.1979.4310076)."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from imgai.plugin import LoadContext, Predictor

_LEVELS = 64
_SOFT = 40.0  # how steep the mask is at the threshold
_APART = 3  # pixels that the middles of two discs are apart at least


def survey(image: Tensor) -> Tensor:
    """The threshold of a picture. Shape: ``(1, 3, h, w)`` to ``(1,)``"""
    counts = torch.histc(image.mean(dim=1).float().cpu(), _LEVELS, 0, 1)
    levels = (torch.arange(_LEVELS) + 0.5) / _LEVELS
    below, mean = counts.cumsum(0) / counts.sum(), (counts * levels).cumsum(0) / counts.sum()
    between = (mean[-1] * below - mean) ** 2 / (below * (1 - below)).clamp_min(1e-6)
    return (levels[between.argmax()] + 0.5 / _LEVELS).view(1).to(image.device)


def network(image: Tensor, notes: Tensor, place: Tensor) -> Tensor:
    """How much lighter than its picture's threshold each pixel is.

    Shape: ``(B, 3, H, W)``, ``(B, 1)``, ``(B, 4)`` to ``(B, 1, H, W)`` in [0, 1].
    """
    return (_SOFT * (image.mean(dim=1, keepdim=True) - notes[:, :, None, None])).sigmoid()


def instances(maps: np.ndarray, threshold: float) -> np.ndarray:
    """Touching discs apart: each pixel goes to the nearest middle. Shape: ``(1, H, W)`` to ``(H, W)`` int32"""
    inside = maps[0] >= threshold
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), 1)
    tops = inside & (depth == ndimage.maximum_filter(depth, size=2 * _APART + 1))
    middles, count = ndimage.label(tops, np.ones((3, 3)))
    if count == 0:
        return np.zeros(inside.shape, np.int32)
    rows, columns = ndimage.distance_transform_edt(middles == 0, return_distances=False, return_indices=True)
    return np.where(inside, middles[rows, columns], 0).astype(np.int32)


def load(context: LoadContext) -> Predictor:
    """Load the model."""
    return Predictor(network=network, survey=survey, instances=instances)
