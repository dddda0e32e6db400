"""How the host processes each `Output`, one file per output.

A file defines the class of the result in a sample and an `OutputType`: its valid shapes, how tiles are merged, how it
is resized with the image, its memory, and its fields in the record.
"""

from __future__ import annotations

import dataclasses
import importlib
from functools import cache
from typing import TYPE_CHECKING

from imgai.outputs.base import OutputType, StepContext, View
from imgai.plugin import Output

if TYPE_CHECKING:
    from imgai.sample import Sample

__all__ = ["OutputType", "StepContext", "View", "output_of", "resized"]

# Imported on first use, so that commands that predict nothing do not import torch.
_TYPES = {
    Output.IMAGE: "imgai.outputs.image:ImageOutput",
    Output.MASK: "imgai.outputs.mask:MaskOutput",
    Output.SCORES: "imgai.outputs.scores:ScoresOutput",
    Output.BOXES: "imgai.outputs.boxes:BoxesOutput",
    Output.MAP: "imgai.outputs.map:MapOutput",
    Output.DATA: "imgai.outputs.data:DataOutput",
}


@cache
def output_of(output: Output) -> OutputType:
    """Return the `OutputType` of an output."""
    module, _, name = _TYPES[output].partition(":")
    instance: OutputType = getattr(importlib.import_module(module), name)()
    return instance


def resized(sample: Sample, before: tuple[int, int], after: tuple[int, int]) -> Sample:
    """Resize all results of earlier steps after the image was resized from one size (H, W) to another."""
    for output in _TYPES if before != after else ():
        sample = output_of(output).resized(sample, before, after)
    return _with_given(sample, after) if sample.given and before != after else sample


def _with_given(sample: Sample, size: tuple[int, int]) -> Sample:
    """Resize the masks for later steps to another size (H, W)."""
    from torch.nn.functional import interpolate

    given = {
        name: dataclasses.replace(each, values=interpolate(each.values.float(), size, mode="nearest-exact") > 0)
        for name, each in sample.given.items()
    }
    return dataclasses.replace(sample, given=given)
