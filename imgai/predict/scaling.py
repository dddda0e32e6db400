"""Resize pictures: upscale by the networks of a family, then resize to the exact size."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from imgai.errors import InputError
from imgai.images.alpha import bleed
from imgai.images.depth import quantize
from imgai.images.resize import resize
from imgai.outputs import StepContext, resized
from imgai.plugin import Task
from imgai.predict.machine import CPU, Placement
from imgai.predict.size import Size
from imgai.predict.step import Step
from imgai.sample import Failure, Sample

_EXACT = 1e-6


class Scaling:
    """One family of models as ``Sample -> Sample``.

    Each picture is taken by the smallest network that suffices (if none does, by the largest and then
    once more), and what is too large then is resized, antialiased. A picture that is to shrink is resized alone.

    members: the models, the smallest scale first.
    """

    def __init__(self, task: Task, members: Sequence[StepContext], size: Size, placement: Placement = CPU) -> None:
        self._size = size
        self._quantized = members[0].quantized
        self._scales = [member.model.scale for member in members]
        passes, reach = 0, 1.0
        while reach < size.most:
            passes, reach = passes + 1, reach * self._scales[-1]
            if self._scales[-1] == 1:
                break
        self.passes = tuple(Step(task, members, placement, choose=self._choose) for _ in range(passes))
        self.device = placement.device
        self.batch = max((step.batch for step in self.passes), default=1)

    def __call__(self, sample: Sample) -> Sample:
        """Resize one sample. Raises the error if it fails."""
        result = next(self.stream([sample]))
        if isinstance(result, Failure):
            raise result.error
        assert result is not None  # None comes of None alone
        return result

    def stream(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        """Resize samples in order, as they arrive; see `Step.stream`."""
        stream: Iterable[Sample | Failure | None] = self._aimed(samples)
        for step in self.passes:
            stream = step.stream(stream)
        for sample in stream:
            yield self._fitted(sample) if isinstance(sample, Sample) else sample

    def _aimed(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        for sample in samples:
            if not isinstance(sample, Sample):
                yield sample
                continue
            try:
                target = self._size.target(sample.height, sample.width, sample.source.name)
            except InputError as error:
                yield Failure(sample.source, error)
            else:
                yield dataclasses.replace(sample, target=target)

    def _choose(self, sample: Sample) -> int | None:
        """Return the index of the member for a sample; None if it is large enough."""
        assert sample.target is not None
        needed = max(sample.target[0] / sample.height, sample.target[1] / sample.width)
        if needed <= 1:
            return None
        enough = [index for index, scale in enumerate(self._scales) if scale >= needed - _EXACT]
        return enough[0] if enough else len(self._scales) - 1

    def _fitted(self, sample: Sample) -> Sample:
        size = sample.target
        if size is None or (sample.height, sample.width) == size:
            return dataclasses.replace(sample, target=None)
        image, alpha = sample.image, sample.alpha
        if alpha is not None:
            if not sample.edited:  # or a step saw to it
                image = bleed(image, alpha)
            alpha = self._resized(sample, alpha, size)
        image = self._resized(sample, image, size)
        changed = dataclasses.replace(sample, image=image, alpha=alpha, target=None, edited=True)
        return resized(changed, (sample.height, sample.width), size)

    def _resized(self, sample: Sample, image: Tensor, size: tuple[int, int]) -> Tensor:
        channels = image.shape[1]
        source = image[:, :1] if image.stride(1) == 0 else image  # one channel, repeated
        if self._quantized and image.dtype == torch.uint8 and image.device.type == "cpu":
            # Of a large picture, floats would take four times the memory, for half a level.
            resized = F.interpolate(source, size, mode="bicubic", antialias=True)
        else:
            resized = resize(source, size, mode="bicubic")
            resized = quantize(resized, sample.metadata.depth) if self._quantized else resized
        return resized.expand(-1, channels, -1, -1)
