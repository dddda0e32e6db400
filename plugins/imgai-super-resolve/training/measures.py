"""How near an answer is to the teacher's."""

from __future__ import annotations

import math

import torch
from losses import Features, feature_error, gradients
from torch import Tensor

NAMES = ("gain", "gradient", "features")
"""PSNR to the teacher's answer over bicubic's (dB), mean gradient over its, distance over bicubic's."""


def slope(image: Tensor) -> float:
    """Mean absolute difference of neighbouring pixels."""
    return float(sum(part.abs().mean() for part in gradients(image)))


def distances(features: Features, image: Tensor, target: Tensor) -> list[float]:
    """Root of the mean squared distance of the features, one for each depth."""
    pairs = zip(features(image), features(target), strict=True)
    return [math.sqrt(float(feature_error([one], [other]))) for one, other in pairs]


@torch.inference_mode()
def nearness(features: Features, answer: Tensor, cubic: Tensor, target: Tensor) -> tuple[float, float, float]:
    """The three numbers of `NAMES`. All pictures ``(1, 3, H, W)`` in [0, 1]."""
    mine, theirs = (float((image - target).square().mean()) for image in (answer, cubic))
    near, far = (distances(features, image, target) for image in (answer, cubic))
    shares = [one / other for one, other in zip(near, far, strict=True)]
    return 10 * math.log10(theirs / mine), slope(answer) / slope(target), sum(shares) / len(shares)
