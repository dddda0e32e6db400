"""Stretch the range of values of a sample for a microscopy model."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from imgai.images.contrast import Values
from imgai.images.depth import quantize, to_float
from imgai.images.range import Range, of_numbers
from imgai.outputs import StepContext
from imgai.predict.normalize import NONE
from imgai.sample import Sample

_ROWS = 256  # at once: as floats, a whole picture would take several times the memory


def stretched(sample: Sample, step: StepContext) -> tuple[Sample, Range | None]:
    """Return the sample for the network and the stretched range; the unchanged sample and None if nothing was
    stretched.

    The range is that of the file's pages if it is known and the image is unedited, else that of the image.
    """
    if step.model.normalize is None or step.normalize == NONE:
        return sample, None
    least, share = step.model.normalize
    planes = sample.image[:, :1] if sample.metadata.gray else sample.image
    if isinstance(step.normalize, tuple):
        own = of_numbers(*step.normalize, sample.metadata)
        found = dataclasses.replace(own, light=float(_median(planes)) > (own.low + own.high) / 2)
    else:
        known = None if sample.edited else sample.range
        looked = known or _range_of(planes)
        if looked is None or looked.width >= least:
            return sample, None
        found = looked
    low, high = found.ends(share)
    parts = [
        quantize((to_float(planes[..., top : top + _ROWS, :]) - low) / (high - low), 16)
        for top in range(0, planes.shape[-2], _ROWS)
    ]
    image = torch.cat(parts, dim=-2).expand(-1, 3, -1, -1)
    return dataclasses.replace(sample, image=image, metadata=dataclasses.replace(sample.metadata, depth=16)), found


def _range_of(planes: Tensor) -> Range | None:
    """Shape: ``(1, C, H, W)``"""
    pixels = (planes if planes.dtype in (torch.uint8, torch.uint16) else quantize(planes, 16))[0].cpu().numpy()
    values = Values(pixels.dtype)
    values.add(pixels)
    return values.range()


def _median(planes: Tensor) -> Tensor:
    """Of evenly spaced values, as a part of the scale."""
    apart = max(1, int(max(planes.shape[-2:])) // 256)
    return to_float(planes[..., ::apart, ::apart]).median()
