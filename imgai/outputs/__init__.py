"""What each `Output` means to the host, one file an output.

A file holds the class that a sample carries and an `OutputType`: the shape that is right, how tiles become one,
how it follows a change of the image's size, the bytes that it takes and its line in the record.
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

# Imported when used: a command that predicts nothing imports no torch.
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
    """What the host does with what models of this output return."""
    module, _, name = _TYPES[output].partition(":")
    instance: OutputType = getattr(importlib.import_module(module), name)()
    return instance


def resized(sample: Sample, before: tuple[int, int], after: tuple[int, int]) -> Sample:
    """The sample, whose image had one size (H, W) and has another now, with all that earlier steps found following."""
    for output in _TYPES if before != after else ():
        sample = output_of(output).resized(sample, before, after)
    return _with_given(sample, after) if sample.given and before != after else sample


def _with_given(sample: Sample, size: tuple[int, int]) -> Sample:
    """The sample with the masks of later steps at another size (H, W)."""
    from torch.nn.functional import interpolate

    given = {
        name: dataclasses.replace(each, values=interpolate(each.values.float(), size, mode="nearest-exact") > 0)
        for name, each in sample.given.items()
    }
    return dataclasses.replace(sample, given=given)
