"""Validation: the saved model is run on whole pictures, through the same steps as a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgai.evaluation.truths import true_of
from imgai.images import read
from imgai.images.decode import make_sample
from imgai.images.depth import quantize, to_float
from imgai.measure import measure_of
from imgai.measure.figures import Figures
from imgai.outputs import output_of
from imgai.plugin import Metadata, Model, NoParams, Task
from imgai.predict.load import load_step
from imgai.predict.machine import Placement
from imgai.predict.spec import StepSpec
from imgai.sample import Failure, GivenMask, Sample, Source
from imgai.training.dataset import Dataset
from imgai.training.example import Example
from imgai.training.pictures import page_of, seen

Spoil = Callable[[Tensor, torch.Generator], Tensor]


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """The result of a validation. shown: for some pictures, spread over the part, the
    sample after the step and its target."""

    figures: Figures
    shown: tuple[tuple[Sample, Any], ...]


def measure(
    task: Task,
    model: Model,
    dataset: Dataset,
    placement: Placement,
    *,
    part: str = "val",
    model_params: Any = None,
    spoil: Spoil | None = None,
    show: int = 0,
) -> Measured:
    """Take every picture of a part through the model of a file, and compare.

    spoil: makes the input of a clean picture. show: how many pictures are given back.

    Raises what reading, loading or predicting raises: InputError for a picture, PluginError for the model.
    """
    own = NoParams() if model_params is None else model_params
    spec = StepSpec(task, model, params=task.params(), model_params=own)
    step = load_step(spec, placement)
    masked = spec.name if "mask" in task.inputs else ""
    comparison = measure_of(task.output, tuple(model.labels or ()), masked=masked)
    examples = sorted(
        dataset.parts[part], key=lambda example: (str(example.image), example.page)
    )  # of a stack in order
    shown: list[tuple[Sample, Any]] = []
    chosen = {round(number * (len(examples) - 1) / max(1, show - 1)) for number in range(show)}
    with torch.inference_mode():
        pairs = zip(examples, step.stream(_samples(examples, dataset, spoil, spec.name)), strict=True)
        for number, (example, sample) in enumerate(pairs):
            if isinstance(sample, Failure):
                raise sample.error
            assert sample is not None  # nothing asked for it
            labels = tuple(model.labels or ())
            true = true_of(example, labels, sample, objects=dataset.objects, max_pixels=dataset.max_pixels)
            comparison.update(output_of(task.output).carried(sample, spec.name), true)
            if number in chosen:
                shown.append((sample, true))
    return Measured(comparison.compute(), tuple(shown))


def _samples(examples: Sequence[Example], dataset: Dataset, spoil: Spoil | None, name: str) -> Iterator[Sample]:
    for number, example in enumerate(examples):
        sample = _read(example, dataset)
        if example.target is None and spoil is not None:
            clean = to_float(torch.from_numpy(_seen(sample))[None])
            made = spoil(clean, torch.Generator().manual_seed(number))
            pixels = quantize(made[:, :3].clamp(0, 1), 8)[0].permute(1, 2, 0).contiguous().numpy()
            sample = make_sample(pixels, None, sample.source, Metadata(format="PNG"))
            if made.shape[1] > 3:  # with a mask beside it
                sample.given[name] = GivenMask(made[:, 3:] > 0.5)
        yield sample


def _read(example: Example, dataset: Dataset) -> Sample:
    source = Source(example.image, example.name)
    samples = partial(read, example.image, source, max_pixels=dataset.max_pixels)
    return page_of(example.image, example.page, samples, "sample")


def _seen(sample: Sample) -> np.ndarray:
    """A sample's image in the colours that networks see. Shape: ``(3, H, W)``"""
    pixels = seen(sample)
    three = np.repeat(pixels[None], 3, 0) if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(three)
