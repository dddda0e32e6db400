"""Explanations: maps that point at what matters, of labels and of masks; and a clear no where there is none."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from imgai.errors import InputError, UsageError
from imgai.images.decode import make_sample
from imgai.outputs import StepContext
from imgai.outputs.explain import heat
from imgai.plugin import Metadata, Predictor
from imgai.predict.load import load
from imgai.predict.spec import StepSpec
from imgai.predict.uncertain import Uncertain
from imgai.sample import Failure, Sample, Source
from imgai.testing import fake


def corner(images: Tensor) -> Tensor:
    """Two scores, of which only the lightness at the upper left decides."""
    light = images[:, :, :16, :16].mean((1, 2, 3))
    return torch.stack((light, 1 - light), 1)


def step(by: str, explain: Callable[[Tensor, int], Tensor] | None = None) -> StepContext:
    model = dataclasses.replace(fake.MEAN, input_size=(48, 48))
    return StepContext(model, Predictor(network=corner, explain=explain), "weigh", explain="", explain_by=by)


@pytest.mark.parametrize("method", ["occlusion", "integrated-gradients"])
def test_what_decides_is_found_whatever_the_network_is(method: str) -> None:
    pytest.importorskip("captum")
    image = torch.full((1, 3, 48, 48), 0.9)
    found = heat(step(method), image, 0)
    assert found.shape == (48, 48)
    assert found.max() == 1
    assert found[:12, :12].mean() > 0.5
    assert found[24:, 24:].max() < 0.05
    assert heat(step(method), image, 1)[:12, :12].max() == 0  # it speaks against the other label


def test_a_map_that_turns_with_the_picture_is_sure_and_one_that_does_not_is_not() -> None:
    image = torch.rand((1, 3, 48, 48), generator=torch.Generator().manual_seed(0))
    sure = heat(step("uncertainty", lambda images, label: torch.ones(1, 12, 12)), image, 0)
    assert sure.max() == 0

    def always_left(images: Tensor, label: int) -> Tensor:
        found = torch.zeros(1, 12, 12)
        found[..., :6] = 1
        return found

    assert heat(step("uncertainty", always_left), image, 0).min() == 1


def sample(width: int = 64, name: str = "a.png") -> Sample:
    pixels = torch.zeros((48, width, 3), dtype=torch.uint8)
    pixels[12:36, 16:48] = 255
    return make_sample(pixels.numpy(), None, Source(None, name), Metadata("PNG"))


def spec(task: Any, model: Any, **about: Any) -> StepSpec:
    return StepSpec(task, model, task.params(), **{"explain": "", **about})


def test_a_mask_wavers_at_its_edges_alone_and_stays_what_it_was() -> None:
    plain = load(StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, fake.LightParams()))(sample())
    uncertain = load(spec(fake.FIND_LIGHT, fake.LIGHTNESS, explain_by="uncertainty"))
    assert isinstance(uncertain, Uncertain)
    found = uncertain(sample()).masks["find-light"]
    assert torch.equal(found.values, plain.masks["find-light"].values)
    assert found.heat is not None
    assert found.heat.shape == (48, 64)
    assert found.heat[18:30, 22:42].max() < 0.02
    assert found.heat[:, 14:18].max() > 0.05


def test_a_mask_wavers_the_same_in_16_bits() -> None:
    uncertain = load(spec(fake.FIND_LIGHT, fake.LIGHTNESS, explain_by="uncertainty"))
    pixels = sample().image[0].permute(1, 2, 0).numpy().astype(np.uint16) * 257
    deep = make_sample(pixels, None, Source(None, "a.png"), Metadata("PNG", depth=16))
    assert deep.image.dtype is torch.uint16
    eight, sixteen = (uncertain(each).masks["find-light"].heat for each in (sample(), deep))
    assert eight is not None
    assert sixteen is not None
    assert (eight - sixteen).abs().max() < 0.02


def test_pictures_stay_in_order_around_one_that_failed() -> None:
    uncertain = load(spec(fake.FIND_LIGHT, fake.LIGHTNESS, explain_by="uncertainty"))
    failure = Failure(Source(None, "bad.png"), InputError("bad.png"))
    stream: list[Any] = [sample(64, "a.png"), failure, None, sample(1, "b.png"), sample(90, "c.png")]
    found = [each for each in uncertain.stream(stream) if each is not None]
    assert [each.source.name for each in found] == ["a.png", "bad.png", "b.png", "c.png"]


@pytest.mark.parametrize(
    ("task", "model", "by", "words"),
    [
        (fake.FIND_LIGHT, fake.LIGHTNESS, "gradcam", "cannot explain its mask by gradcam"),
        (fake.WEIGH, fake.MEAN, "gradcam", "cannot explain its scores by gradcam"),
        (fake.WEIGH, fake.MEAN, "uncertainty", "cannot explain its scores by uncertainty"),
        (fake.WEIGH, fake.MEAN, "occlusion", "pip install 'imgai[explain]'"),
    ],
)
def test_what_cannot_be_explained_is_a_clear_no(
    task: Any, model: Any, by: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        load(spec(task, model, explain_by=by))
    assert words in str(caught.value)
