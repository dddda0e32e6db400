"""A map keeps its range and its place, in tiles, at one input size and after a change of size."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from imgai.errors import PluginError
from imgai.outputs.counting import Counting
from imgai.outputs.map import Map, MapOutput
from imgai.plugin import Model, Output, Predictor, Task
from imgai.predict.chain import Chain
from imgai.predict.step import Step
from imgai.sample import Failure, Metadata, Sample, Source
from imgai.testing import PluginContract, fake, gradient, load_step, noise, step_of
from imgai.testing.subject import Subject

TASK = Task(name="relief", summary="How high.", default_model="meters", output=Output.MAP)
MODEL = Model(
    name="meters", task="relief", summary="Lightness in meters.", license="Apache-2.0", load="x:load",
    unit="m", range=(-50.0, 950.0), tile=64, overlap=16,
)  # fmt: skip


def height(images: Tensor) -> Tensor:
    return images.mean(dim=1, keepdim=True) * 1000 - 50


def step(network: Callable[[Tensor], Any] = height, **changes: Any) -> Step:
    return step_of(TASK, dataclasses.replace(MODEL, **changes), Predictor(network=network))


def sample(image: Tensor) -> Sample:
    return Sample(image, Source(None, "drawn"), Metadata("PNG"))


def map_of(result: Sample) -> Map:
    return result.maps["relief"]


def test_a_map_of_tiles_keeps_every_value() -> None:
    image = gradient(150, 200)
    found = map_of(step()(sample(image)))
    assert found.values.dtype == torch.float32
    assert (found.unit, found.range) == ("m", (-50.0, 950.0))
    assert (found.values - height(image)[0]).abs().max() < 0.01


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(90, 200), (300, 30), (20, 20)])
def test_a_map_of_one_input_size_comes_back_to_the_image(fit: str, size: tuple[int, int]) -> None:
    image = gradient(*size)
    found = map_of(step(input_size=(64, 64), fit=fit)(sample(image))).values
    assert found.shape == (1, *size)
    assert (found - height(image)[0]).abs().mean() < 15


def test_a_map_follows_the_size_and_keeps_its_values() -> None:
    result = Chain([step(), load_step(fake.BRIGHTEN, fake.DOUBLE)])(sample(gradient(40, 60)))
    found = map_of(result).values
    assert found.shape == (1, 80, 120)
    assert (found[:, ::2, ::2] - height(gradient(40, 60))[0]).abs().mean() < 15


def test_a_map_that_is_not_finite_is_a_failure() -> None:
    def network(images: Tensor) -> Tensor:
        return height(images) / (images.mean(dim=(1, 2, 3), keepdim=True) > 0.01)

    dark, light = step(network).stream([sample(torch.zeros(1, 3, 32, 32)), sample(noise(32, 32))])
    assert isinstance(dark, Failure)
    assert isinstance(light, Sample)


def test_a_map_of_another_shape_is_told() -> None:
    with pytest.raises(PluginError, match="one channel"):
        step(lambda images: images)(sample(noise(32, 32)))


def test_the_record_tells_the_range_of_all_pages() -> None:
    pages = [sample(torch.full((1, 3, 8, 8), level)) for level in (0.1, 0.5)]
    output = MapOutput()
    line = output.line([output.note(step()(page), "relief", Counting()) for page in pages])
    assert line == {"map": {"minimum": 50.0, "maximum": 450.0, "mean": 250.0, "unit": "m"}}
    unitless = [output.note(step(unit=None)(page), "relief", Counting()) for page in pages]
    assert "unit" not in output.line(unitless)["map"]


def test_the_contract_holds_a_map_to_its_range_and_to_its_seams(subject: Callable[..., Subject]) -> None:
    contract = PluginContract()
    contract.test_images_of_any_size_give_what_is_promised(subject(step()))
    contract.test_tiles_leave_no_seam(subject(step()))
    with pytest.raises(AssertionError, match="declare range"):
        contract.test_images_of_any_size_give_what_is_promised(subject(step(range=(0.0, 1.0))))

    def seamed(images: Tensor) -> Tensor:
        return height(images) * 0 + height(images).mean(dim=(1, 2, 3), keepdim=True)

    with pytest.raises(AssertionError, match="overlap=16 is too small"):
        contract.test_tiles_leave_no_seam(subject(step(seamed)))


@pytest.mark.parametrize("value", [(1.0, 0.0), (2.0, 2.0), (0.0, math.nan)])
def test_a_range_is_a_smaller_and_a_larger_number(value: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="range"):
        dataclasses.replace(MODEL, range=value)
