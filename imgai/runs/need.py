"""Requirements of a run: the size at which pictures are decoded, and their memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from imgai.errors import InputError
from imgai.images import probe
from imgai.images.formats import format_of_suffix, formats
from imgai.images.space import space_of
from imgai.images.write import check_size
from imgai.outputs import output_of
from imgai.outputs.base import Footprint
from imgai.plugin import Header
from imgai.predict.pairing import mask_files
from imgai.predict.spec import KindSpec, StepSpec
from imgai.runs.names import Plan
from imgai.runs.targets import targets
from imgai.sample import Sample

_DEEP = 2  # bytes of 16 bits
_HEAD = 1 << 18  # bytes of a file in a store that nearly always hold its header
_CHANNELS = 4  # three of the picture, one of its alpha


def least_side(specs: Sequence[StepSpec], kinds: Sequence[KindSpec]) -> int | None:
    """The least length of a side, in pixels, at which a picture may be decoded; None for its full size.

    A classifier sees a small square. At twice what it needs, of 200 photographs all kept their best label whose score
    was over 0.5, and all whose score led the next by more than 0.05 (docs/benchmarks.md).
    """
    spec, *more = specs
    size, crop = spec.model.input_size, spec.model.crop
    if more or kinds or size is None or crop is None or not output_of(spec.task.output).reduced:
        return None
    return 2 * math.ceil(max(size) / crop)


def foresee(plan: Plan, specs: Sequence[StepSpec], max_pixels: int) -> None:
    """Raise InputError for an input that cannot be done, as far as its header tells."""
    path, remote = plan.input.path, plan.input.remote
    assert path is not None
    content: Path | bytes = path if remote is None else remote.head(_HEAD)
    try:
        header = probe(content, plan.input.name, max_pixels=max_pixels)
    except InputError:
        if remote is None or remote.size <= _HEAD:
            raise
        header = probe(remote.head(remote.size), plan.input.name, max_pixels=max_pixels)  # its header is at its end
    check_result(header, plan, specs)
    mask_files(specs, plan.input.name, path)


def check_result(header: Header, plan: Plan, specs: Sequence[StepSpec]) -> None:
    """Raise InputError for a picture whose result its format cannot hold."""
    page = _page(header, specs)
    once = {each.name for each in plan.kinds if each.kind.once == "input"}
    for path, kind in targets(plan, specs[-1:]):
        format_ = format_of_suffix(path.name) if kind in once else None
        if format_ is not None:
            check_size(formats()[format_], page.height, page.width, plan.input.name)


def bytes_of(header: Header, specs: Sequence[StepSpec]) -> int:
    """Return the memory of a page in bytes, with the results of the steps: masks in 8 bits, pictures in float.

    The last picture is held at the depth that is written, not in float.
    """
    return _page(header, specs).size


def bytes_beside(sample: Sample, specs: Sequence[StepSpec]) -> int:
    """Return the memory of a decoded page in addition to `bytes_of` that its header does not determine.

    Of a picture whose colours are not sRGB, networks see a copy of 16 bits, and what they make of it has 16 bits
    too; so has the copy with a range of values stretched.
    """
    planes = 1 if sample.metadata.gray else 3
    page = planes * sample.height * sample.width
    size = _DEEP * page if any(spec.normalizes for spec in specs) else 0
    if space_of(sample.metadata.icc, planes) is None:
        return size
    made = Footprint(sample.height, sample.width, _DEEP, _DEEP * page)
    for spec in specs:
        output = output_of(spec.task.output)
        if not output.field:  # it takes the place of the image
            output.weigh(made, spec, last=True)
    return size + made.size


def _page(header: Header, specs: Sequence[StepSpec]) -> Footprint:
    """A page after all steps."""
    depth = 2 if formats()[header.format].deep else 1
    page = Footprint(header.height, header.width, depth, _CHANNELS * depth * header.height * header.width)
    for spec in specs:
        output_of(spec.task.output).weigh(page, spec, last=spec is specs[-1])
    return page
