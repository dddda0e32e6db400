"""The work of a model that takes a mask: only masked pixels change."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from imgai.errors import InputError
from imgai.images.depth import quantize, to_float
from imgai.outputs import OutputType, StepContext
from imgai.predict.masks import clear_pixels, grown
from imgai.predict.tiling import Window
from imgai.predict.work import TiledWork
from imgai.sample import Failure, GivenMask, Sample

_MOST = {torch.uint8: 255, torch.uint16: 65535}


def masked(sample: Sample, output: OutputType, step: StepContext, tile: int) -> TiledWork | Sample | Failure:
    """Return the work for a sample; the sample if its mask is empty; a Failure if the mask is missing or full.

    The mask is the one given for the step, else the pixels that are more than half transparent; the result is
    opaque then.
    """
    name, given = sample.source.name, sample.given.get(step.name)
    if given is None:
        clear = clear_pixels(sample)
        if clear is None or not bool(clear.any()):
            words = f"{name}: there is no mask, and the picture has no transparent pixels"
            return Failure(sample.source, InputError(words, "add --mask FILE, or a folder of masks"))
        given = GivenMask(grown(clear, step.grow))
        sample = dataclasses.replace(sample, alpha=None, given={**sample.given, step.name: given}, edited=True)
    if (size := tuple(given.values.shape[-2:])) != (sample.height, sample.width):
        words = f"{name}: the mask has {size[1]}x{size[0]} pixels, and the picture {sample.width}x{sample.height} now"
        return Failure(sample.source, InputError(words, "an earlier step has changed its size; run it by itself"))
    if not bool(given.values.any()):
        return sample
    if bool(given.values.all()):
        return Failure(sample.source, InputError(f"{name}: the mask covers all of it", "white says where to work"))
    return MaskedWork(sample, given.values, output, step, tile)


class MaskedWork(TiledWork):
    """Only tiles with masked pixels are predicted, and only masked pixels are taken from the answer."""

    def __init__(self, sample: Sample, mask: Tensor, output: OutputType, step: StepContext, tile: int) -> None:
        """mask: ``(1, 1, H, W)`` bool, True where the model works."""
        self._whole = sample
        self._mask = mask = mask.to(sample.image.device)
        # The colour of transparent pixels is undefined, so they are masked for the network too.
        self._unknown = mask if sample.alpha is None else mask | (sample.alpha.to(mask.device) == 0)
        planes = _planes(sample.image)
        image = _bits(planes).masked_fill(self._unknown, 0).view(planes.dtype).expand(-1, 3, -1, -1)
        # Set to black before colour conversion, so that masked pixels cannot influence the answer.
        super().__init__(dataclasses.replace(sample, image=image, alpha=None), output, step, tile)

    def _needed(self) -> list[Window]:
        return [window for window in self._grid.windows() if bool(self._grid.cut(self._mask[0], window).any())]

    def _tile(self, window: Window) -> Tensor:
        image = self._grid.cut(self._image[0], window)
        unknown = self._grid.cut(self._unknown[0], window)
        if image.dtype == torch.uint16:  # few operations know it
            mask = unknown.to(torch.int32).mul_(_MOST[torch.uint16]).to(torch.uint16)
        else:
            mask = unknown.to(image.dtype).mul_(_MOST.get(image.dtype, 1))
        return torch.cat((image, mask))

    def result(self) -> Sample:
        made, whole = super().result(), self._whole
        image = whole.image.to(made.image.device)
        image = quantize(image, whole.metadata.depth) if self.step.quantized else to_float(image)
        made_planes, planes = _planes(made.image), _planes(image)
        kept = torch.where(self._mask.to(image.device), _bits(made_planes), _bits(planes)).view(planes.dtype)
        return dataclasses.replace(made, image=kept.expand(-1, 3, -1, -1), alpha=whole.alpha)


def _planes(image: Tensor) -> Tensor:
    """Return the single channel of a repeated grey image, else all channels."""
    return image[:, :1] if image.stride(1) == 0 else image


def _bits(planes: Tensor) -> Tensor:
    """View uint16 as int16 with the same bits, which more operations support."""
    return planes.view(torch.int16) if planes.dtype == torch.uint16 else planes
