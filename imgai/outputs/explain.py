"""Saliency and uncertainty maps of a network's answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from imgai.outputs.base import StepContext

_PATCH = 6  # a grey patch covers this fraction (1/6) of a side
_AT_ONCE = 8  # images per call of the network
_STEPS = 24  # steps of the integral from grey to the image
_SMOOTH = 15  # gradients are averaged over this fraction (1/15) of a side
_SHRUNK = 0.7


def heat(step: StepContext, image: Tensor, index: int) -> Tensor:
    """Compute a map by the step's method.

    gradcam: the model's own. occlusion: the drop of the score when a patch is covered in grey (Zeiler and Fergus,
    2014). integrated-gradients: Sundararajan et al. 2017, averaged over small patches. uncertainty: how much the
    gradcam map changes when the image is mirrored or rescaled; at most 1.

    Shape: image ``(1, 3, h, w)``, the input of the network, to ``(y, x)`` float32, at least 0.
    """
    if step.explain_by == "uncertainty":
        maps = torch.stack([_scaled(each) for each in _varied(step, image, index)])
        return (2 * maps.std(0, correction=0)).clamp(0, 1)
    return _scaled(_METHODS[step.explain_by](step, image, index))


def _gradcam(step: StepContext, image: Tensor, index: int) -> Tensor:
    assert step.predictor.explain is not None  # checked when the model was loaded
    return step.predictor.explain(step.predictor.preprocess(image), index)[0].detach().float().cpu()


def _varied(step: StepContext, image: Tensor, index: int) -> list[Tensor]:
    height, width = image.shape[-2:]
    small = max(1, round(height * _SHRUNK)), max(1, round(width * _SHRUNK))
    back = F.interpolate(F.interpolate(image, small, mode="bilinear", antialias=True), (height, width), mode="bilinear")
    return [
        _gradcam(step, image, index),
        _gradcam(step, image.flip(-1), index).flip(-1),
        _gradcam(step, back, index),
        _gradcam(step, back.flip(-1), index).flip(-1),
    ]


def _occlusion(step: StepContext, image: Tensor, index: int) -> Tensor:
    from captum.attr import Occlusion

    height, width = image.shape[-2:]
    window = (3, max(1, height // _PATCH), max(1, width // _PATCH))
    stride = (3, max(1, window[1] // 2), max(1, window[2] // 2))
    with torch.inference_mode(False), torch.no_grad():
        attribution = Occlusion(_score(step, index, image)).attribute(
            image.clone(), window, strides=stride, baselines=0.5, perturbations_per_eval=_AT_ONCE
        )
    mean: Tensor = attribution[0].mean(0).float().cpu()
    return mean


def _integrated(step: StepContext, image: Tensor, index: int) -> Tensor:
    from captum.attr import IntegratedGradients

    with torch.inference_mode(False), torch.enable_grad():
        given = image.clone().requires_grad_()
        attribution = IntegratedGradients(_score(step, index, image)).attribute(
            given, baselines=0.5, n_steps=_STEPS, internal_batch_size=_AT_ONCE
        )
    side = max(1, min(image.shape[-2:]) // _SMOOTH) | 1
    return F.avg_pool2d(attribution[0].sum(0, keepdim=True).float().cpu(), side, 1, side // 2, count_include_pad=False)[
        0
    ]


def _score(step: StepContext, index: int, image: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a function for the score of a label. Its argument is unnormalized, so that grey patches stay grey."""
    predictor = step.predictor

    def score(images: Tensor) -> Tensor:
        answer: Tensor = predictor.postprocess(predictor.network(predictor.preprocess(images)))
        return answer[:, index]

    return score


def _scaled(values: Tensor) -> Tensor:
    """Clamp to positive values and scale the maximum to 1."""
    values = values.detach().float().cpu().clamp_min(0)
    return values / values.max().clamp_min(1e-12)


_METHODS: dict[str, Callable[[StepContext, Tensor, int], Tensor]] = {
    "gradcam": _gradcam,
    "occlusion": _occlusion,
    "integrated-gradients": _integrated,
}
NEEDS_CAPTUM = ("occlusion", "integrated-gradients")
"""Methods implemented by captum."""
