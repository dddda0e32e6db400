"""What a sample carries is small: arrays, labels and functions by name, never a network."""

from __future__ import annotations

import pickle

import pytest
import torch

from imgai.images.depth import quantize
from imgai.outputs.mask import Mask
from imgai.plugin import Model, Task
from imgai.predict.chain import Chain
from imgai.predict.step import Step
from imgai.registry import load_registry
from imgai.sample import Metadata, Sample, Source
from imgai.testing import fake, load_step
from imgai.testing.images import discs


def drawn(side: int = 64, seed: int = 0) -> Sample:
    image = quantize(discs(side, side, seed=seed)[0], 8)
    return Sample(image, Source(None, "drawn"), Metadata("PNG"))


def arrays(sample: Sample) -> int:
    """The bytes of what a sample holds for its pixels; of a channel that is repeated, once."""
    image = sample.image.numel() // (3 if sample.image.stride(1) == 0 else 1) * sample.image.element_size()
    masks = sum(mask.values.numel() for mask in sample.masks.values())
    return image + masks + sum(4 * scores.values.numel() for scores in sample.scores.values())


@pytest.mark.parametrize("model", ["nuclei", "subject", "document"])
def test_a_pickled_sample_is_hardly_larger_than_its_arrays(model: str) -> None:
    registry = load_registry()
    step = load_step(registry.task("segment"), registry.model("segment", model), device=torch.device("cpu"))
    sample = step(drawn())
    content = pickle.dumps(sample)
    assert len(content) <= 1.2 * arrays(sample)
    again = pickle.loads(content)
    mask, other = sample.masks["segment"], again.masks["segment"]
    for (label, numbered), (name, numbers) in zip(mask.objects(0.5), other.objects(0.5), strict=True):
        assert label == name
        assert (numbered == numbers).all()


@pytest.mark.parametrize(
    ("task", "model"), [(fake.FIND_LIGHT, fake.LIGHTNESS), (fake.WEIGH, fake.MEAN), (fake.BRIGHTEN, fake.DOUBLE)]
)
def test_a_sample_keeps_nothing_of_the_batch_it_was_in(task: Task, model: Model) -> None:
    step = load_step(task, model, params=task.params(), device=torch.device("cpu"), quantized=True)
    step.batch = 8
    for result in step.stream([drawn(32, seed) for seed in range(8)]):
        assert isinstance(result, Sample)
        assert len(pickle.dumps(result)) <= 1.2 * arrays(result) + 600  # the names of classes and fields


def test_a_mask_knows_its_objects_after_other_steps() -> None:
    chain = Chain([load(fake.FIND_LIGHT, fake.LIGHTNESS), load(fake.BRIGHTEN, fake.DOUBLE)])
    result = pickle.loads(pickle.dumps(chain(drawn())))
    mask = result.masks["find-light"]
    assert isinstance(mask, Mask)
    assert mask.values.shape == (1, 128, 128)
    ((label, numbered),) = mask.objects(0.5)
    assert label == "light"
    assert numbered.max() >= 1


def load(task: Task, model: Model) -> Step:
    return load_step(task, model, params=task.params(), device=torch.device("cpu"))
