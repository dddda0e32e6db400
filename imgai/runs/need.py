"""What a run needs of a picture and for it: how many of its pixels, and how many bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from imgai.images import Header
from imgai.plugin import Output
from imgai.predict.spec import StepSpec

_CHANNELS = 4  # three of the picture, one of its alpha
_MAY_BE_DEEP = ("PNG", "TIFF", "PPM", "DICOM")


def least_side(specs: Sequence[StepSpec], kinds: Sequence[str]) -> int | None:
    """How short a side of a picture may become while it is decoded; None if all of it is wanted.

    A classifier sees a small square. At twice what it needs, of 200 photographs all kept their best label whose score
    was over 0.5, and all whose score led the next by more than 0.05 (docs/benchmarks.md).
    """
    spec, *more = specs
    size, crop = spec.model.input_size, spec.model.crop
    if more or kinds or spec.task.output is not Output.SCORES or size is None or crop is None:
        return None
    return 2 * math.ceil(max(size) / crop)


def bytes_of(header: Header, specs: Sequence[StepSpec]) -> int:
    """How many bytes one page takes with all that the steps add to it: masks of 8 bits, pictures in float.

    The last picture is held at the depth that is written, not in float.
    """
    depth = 2 if header.format in _MAY_BE_DEEP else 1
    height, width = header.height, header.width
    size, classes = _CHANNELS * depth * height * width, 0
    for place, spec in enumerate(specs):
        if spec.task.output is Output.MASK:
            classes += (more := len(spec.model.labels or ()) + spec.model.auxiliary)
            size += more * height * width
        elif spec.task.output is Output.IMAGE:
            each = _CHANNELS * (depth if place == len(specs) - 1 else 4)
            scale, target = spec.model.scale, (height, width)
            if spec.size is not None:
                factor = spec.size.factor(height, width)
                target = round(height * factor), round(width * factor)
                # What a network makes may be larger than what was asked for, and both are there while it is resized.
                larger = (model.scale for model in spec.models if model.scale >= factor)
                scale = min(larger, default=max(model.scale for model in spec.models)) if factor > 1 else 0
                size += each * target[0] * target[1]
            else:
                target = height * scale, width * scale
            size += each * height * width * scale**2
            if target != (height, width):
                size += classes * target[0] * target[1]  # the masks follow
            height, width = target
    return size
