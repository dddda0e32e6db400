"""Read the masks for steps, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.errors import InputError
from imgai.images import probe, read
from imgai.images.depth import to_float
from imgai.predict.pairing import mask_files
from imgai.predict.spec import StepSpec
from imgai.sample import GivenMask, Sample, Source

_INSIDE = 0.5
"""The minimum value of a masked pixel."""
_CELL = 8  # pixels
_LEVELS = {torch.uint8: 255, torch.uint16: 65535}


def with_masks(
    pages: Iterator[Sample], specs: Sequence[StepSpec], origin: Source, *, max_pixels: int
) -> Iterator[Sample]:
    """Yield the pages of a picture with the masks for the steps, read from the files named in the specs.

    Raises InputError for a mask that is missing, damaged, or of a different size or number of pages than the picture,
    and for a mask that has grey pixels but no white ones.
    """
    masks: dict[str, MaskPages] = {}
    grow = {spec.name: spec.mask.grow for spec in specs}
    for step, path in mask_files(specs, origin.name, origin.path).items():
        shown = f"{origin.name}: its mask {path}"
        header = probe(path, shown, max_pixels=max_pixels)
        masks[step] = MaskPages(read(path, Source(path, shown), max_pixels=max_pixels, header=header), grow[step])
    return beside(pages, masks)


def beside(pages: Iterable[Sample], masks: Mapping[str, MaskPages]) -> Iterator[Sample]:
    """Yield the pages of a picture with masks, given by the names of the steps. Raises the errors of `with_masks`."""
    for sample in pages:
        sample.given |= {step: mask.next(sample) for step, mask in masks.items()}
        yield sample


@dataclass(slots=True)
class MaskPages:
    """The pages of a mask: one for all pages of the picture, or one for each.

    pages: what is masked is white, in grey; what is transparent counts as black. grow: in pixels.
    """

    pages: Iterator[Sample]
    grow: int = 0
    _one: GivenMask | None = None

    def next(self, sample: Sample) -> GivenMask:
        """Return the mask for the next page of a picture."""
        if self._one is not None:
            return self._of_size(self._one, sample)
        mask, count = next(self.pages, None), sample.source.pages
        if mask is None or mask.source.pages not in (1, count):
            has = sample.source.page if mask is None else mask.source.pages
            shown = f"{sample.source.name}: its mask" if mask is None else mask.source.name
            words = f"{shown} has {has} pages, and the picture {count}"
            raise InputError(words, "give a mask of one page, or of as many")
        given = self._of_size(GivenMask(grown(_white(mask), self.grow), mask.source.path), sample)
        if mask.source.pages == 1:
            self._one = given
        return given

    def _of_size(self, given: GivenMask, sample: Sample) -> GivenMask:
        height, width = given.values.shape[-2:]
        if (height, width) != (sample.height, sample.width):
            which = "its mask" if given.path is None else f"its mask {given.path}"
            words = f"{sample.source.name}: {which} has {width}x{height} pixels"
            raise InputError(f"{words}, and the picture {sample.width}x{sample.height}", "make both of one size")
        return given


def grown(mask: Tensor, by: int) -> Tensor:
    """Dilate a mask by a number of pixels along both axes. Shape: ``(1, 1, H, W)`` bool, unchanged."""
    if by == 0:
        return mask
    values = F.max_pool2d(mask.float(), (2 * by + 1, 1), 1, (by, 0))
    return F.max_pool2d(values, (1, 2 * by + 1), 1, (0, by)) > 0


def clear_pixels(sample: Sample) -> Tensor | None:
    """Return the pixels that are more than half transparent; None without alpha. Shape: ``(1, 1, H, W)`` bool."""
    return None if sample.alpha is None else to_float(sample.alpha) < _INSIDE


def holds_square(mask: Tensor, side: int) -> bool:
    """Return whether a square of that side fits into the mask, to 8 pixels. Shape: ``(1, 1, H, W)`` bool."""
    height, width = (length // _CELL for length in mask.shape[-2:])
    cells = mask[0, 0, : height * _CELL, : width * _CELL].view(height, _CELL, width, _CELL)
    full = cells.all(1).all(-1)  # by rows first: they lie together
    count = max(1, side // _CELL)
    if count > min(height, width):
        return False
    return bool((F.avg_pool2d(full[None].float(), (count, count), 1) > 1 - 0.5 / count**2).any())


def _white(mask: Sample) -> Tensor:
    """Return the masked pixels. Shape: ``(1, 1, H, W)`` bool."""
    values = to_float(mask.image[:, :1] if mask.metadata.gray else mask.image).mean(1, keepdim=True)
    if mask.alpha is not None:
        values *= to_float(mask.alpha)
    white = values >= _INSIDE
    if not bool(white.any()) and (brightest := float(values.max())) > 0:
        level = _LEVELS[mask.image.dtype]
        words = f"{mask.source.name} has no white: its brightest value is {brightest * level:.0f} of {level}"
        raise InputError(words, "white says where to work; black, where not")
    return white
