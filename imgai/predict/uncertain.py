"""Uncertainty of a step: each picture is also predicted mirrored and at other sizes."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from imgai.images.resize import bicubic
from imgai.outputs import output_of
from imgai.predict.step import Step
from imgai.sample import Failure, Sample

_SCALES = (0.75, 1.25)


class Uncertain:
    """A step as ``Sample -> Sample``, whose results carry a map of how much they waver.

    The answer itself is that of the picture as it is.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._output = output_of(step.task.output)
        self.task, self.name, self.model = step.task, step.name, step.model
        self.device, self.batch = step.device, step.batch

    def __call__(self, sample: Sample) -> Sample:
        """Predict one sample. Raises the error if it fails."""
        result = next(self.stream([sample]))
        if isinstance(result, Failure):
            raise result.error
        assert result is not None  # nothing asked for it
        return result

    def stream(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        """Predict samples in order; see `Step.stream`."""
        counts: deque[int] = deque()  # results that belong together
        group: list[Sample | Failure] = []

        def varied() -> Iterator[Sample | Failure | None]:
            for sample in samples:
                if isinstance(sample, Sample):
                    variants = _variants(sample)
                    counts.append(1 + len(_SCALES) + 2)
                    yield sample
                    yield from variants
                    continue
                if sample is not None:
                    counts.append(1)
                yield sample

        for result in self._step.stream(varied()):
            if result is None:
                yield None
                continue
            group.append(result)
            if len(group) == counts[0]:
                counts.popleft()
                yield self._joined(group)
                group = []

    def _joined(self, group: list[Sample | Failure]) -> Sample | Failure:
        for each in group:
            if isinstance(each, Failure):
                return each
        first, *others = (each for each in group if isinstance(each, Sample))
        if not others:
            return first
        turns = [(-1,), (-2,), *(() for _ in _SCALES)]
        return self._output.wavering(first, list(zip(others, turns, strict=True)), self.name)


def _variants(sample: Sample) -> Iterator[Sample]:
    """The picture mirrored both ways, smaller and larger; without its alpha, which is none of the answer."""
    for axis in (-1, -2):
        yield _with(sample, _mirrored(sample.image, axis))
    for scale in _SCALES:
        size = max(1, round(sample.height * scale)), max(1, round(sample.width * scale))
        yield _with(sample, bicubic(sample.image, size))


def _mirrored(image: Tensor, axis: int) -> Tensor:
    """An image mirrored along an axis. Of 16 bits without a sign torch mirrors none."""
    if image.dtype is torch.uint16:
        return image.view(torch.int16).flip(axis).view(torch.uint16)
    return image.flip(axis)


def _with(sample: Sample, image: Tensor) -> Sample:
    assert isinstance(image, torch.Tensor)
    return dataclasses.replace(
        sample, image=image, alpha=None, masks={}, scores={}, boxes={}, maps={}, data={}, edited=False
    )
