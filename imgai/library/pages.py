"""Make samples from a path, bytes, a PIL image, an array or a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from imgai.errors import UsageError
from imgai.images import make_sample, probe, ranges_of, read
from imgai.images.depth import quantize
from imgai.predict.masks import MaskPages, beside, with_masks
from imgai.predict.spec import StepSpec
from imgai.sample import Metadata, Sample, Source

if TYPE_CHECKING:
    from PIL.Image import Image

NAME = "image"
"""The name of a picture without a file in error messages."""
_DEPTHS = {torch.uint8: 8, torch.uint16: 16}


def samples(picture: Any, max_pixels: int, *, ranged: bool = False) -> Iterator[Sample]:
    """Yield the pages of a picture; each is decoded when it is requested.

    picture: a path, bytes of a file, a PIL image (its current frame), an array ``(H, W[, C])`` or a tensor
        ``(C, H, W)`` with C = 1 to 4, alpha last; uint8, uint16, or float in [0, 1], which is stored with 16 bits.
    max_pixels: the maximum number of pixels of a page.
    ranged: whether to determine the range of values that the pages of a file share.

    Raises InputError for a file that cannot be read, UsageError for an object that is not a picture.
    """
    if isinstance(picture, (str, Path)):
        path = Path(picture)
        yield from _of_file(path, Source(path, path.name), max_pixels, ranged=ranged)
    elif isinstance(picture, (bytes, bytearray, memoryview)):
        yield from _of_file(bytes(picture), Source(None, NAME), max_pixels, ranged=ranged)
    elif isinstance(picture, np.ndarray):
        yield _of_tensor(torch.from_numpy(_copied(picture)))
    elif isinstance(picture, Tensor):
        planes = picture.detach()
        planes = planes[0] if planes.ndim == 4 and len(planes) == 1 else planes
        if planes.ndim != 3:
            raise UsageError(f"a tensor of shape {tuple(picture.shape)} is no picture", "give (3, H, W)")
        yield _of_tensor(planes.permute(1, 2, 0).clone())
    elif _is_pil(picture):
        yield _of_pil(picture)
    else:
        raise UsageError(
            f"a {type(picture).__name__} is no picture", "give a path, bytes, a PIL image, an array or a tensor"
        )


def masked(pages: Iterator[Sample], specs: Sequence[StepSpec], mask: Any, max_pixels: int) -> Iterator[Sample]:
    """Yield the pages of a picture together with the masks for the steps.

    mask: a picture, or an array or tensor of bool ``(H, W)``; None: the files named in `specs`.
    """
    if mask is not None:
        yield from beside(
            pages,
            {
                spec.name: MaskPages(samples(_white(mask), max_pixels), spec.mask.grow)
                for spec in specs
                if spec.task.inputs
            },
        )
        return
    if all(spec.mask.mask is None for spec in specs):
        yield from pages
        return
    for first in pages:  # the first page has the source, which finding the masks needs
        yield from with_masks(chain((first,), pages), specs, first.source, max_pixels=max_pixels)


def _white(mask: Any) -> Any:
    """Convert a bool mask to a picture, and add the channel dimension to a tensor that has none."""
    if isinstance(mask, np.ndarray):
        return mask * np.uint8(255) if mask.dtype == np.bool_ else mask
    if isinstance(mask, Tensor):
        mask = mask[None] if mask.ndim == 2 else mask
        return mask.to(torch.uint8) * 255 if mask.dtype == torch.bool else mask
    return mask


def _of_file(content: Path | bytes, origin: Source, max_pixels: int, *, ranged: bool) -> Iterator[Sample]:
    header = probe(content, origin.name, max_pixels=max_pixels)
    ranges = ranges_of(content, header) if ranged else {}
    yield from read(content, origin, max_pixels=max_pixels, header=header, ranges=ranges)


def _copied(array: np.ndarray) -> np.ndarray:
    """Copy the array, because the caller may write into it while the result is still in use."""
    kept = array if array.dtype in (np.uint8, np.uint16) or array.dtype.kind != "f" else array.astype(np.float32)
    return np.array(kept, order="C", copy=True)


def _of_tensor(values: Tensor) -> Sample:
    """Shape: ``(H, W)`` or ``(H, W, C)``."""
    shape = tuple(values.shape)
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[-1] not in (1, 2, 3, 4) or not values.numel():
        raise UsageError(f"{shape} is no picture's shape", "an array is (H, W) or (H, W, C), a tensor (C, H, W)")
    if values.is_floating_point():
        low, high = float(values.min()), float(values.max())
        if not (low >= -1e-4 and high <= 1 + 1e-4):  # written so that NaN fails too
            raise UsageError(f"the picture's values go from {low:.4g} to {high:.4g}", "floats are in [0, 1]")
        values = quantize(values, 16)
    if values.dtype not in _DEPTHS:
        raise UsageError(f"pictures are not held in {values.dtype}", "use uint8, uint16 or floats in [0, 1]")
    colors = values[..., :-1] if values.shape[-1] in (2, 4) else values
    alpha = values[..., -1][None, None].contiguous() if values.shape[-1] in (2, 4) else None
    gray = colors.shape[-1] == 1
    image = colors[..., 0].expand(3, -1, -1)[None] if gray else colors.permute(2, 0, 1)[None]
    metadata = Metadata("PNG", depth=_DEPTHS[values.dtype], gray=gray)
    return Sample(image, Source(None, NAME), metadata, alpha=alpha)


def _is_pil(picture: object) -> bool:
    from PIL.Image import Image

    return isinstance(picture, Image)


def _of_pil(image: Image) -> Sample:
    from imgai.images.codecs.pillow import pictures

    (picture,) = pictures(image, image.format or "PNG")
    return make_sample(picture.pixels, picture.alpha, Source(None, NAME), picture.metadata)
