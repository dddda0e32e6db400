"""The contract holds for a plugin that keeps it, and fails for those that do not."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from imgai.plugin import Predictor
from imgai.predict.step import Step
from imgai.testing import PluginContract, fake, step_of


class TestFake(PluginContract):
    plugin = fake


def step(network: object, **changes: object) -> Step:
    model = dataclasses.replace(fake.LIGHTNESS, **changes)  # type: ignore[arg-type]
    return step_of(fake.FIND_LIGHT, model, Predictor(network=network), device=torch.device("cpu"))  # type: ignore[arg-type]


def test_a_seam_is_noticed() -> None:
    # Every tile's own mean: no overlap can hide that.
    seamed = step(lambda image: image.mean(dim=(1, 2, 3), keepdim=True).expand(-1, 1, *image.shape[-2:]))
    with pytest.raises(AssertionError, match="more overlap"):
        PluginContract().test_tiles_leave_no_seam([seamed])


def test_a_batch_that_mixes_its_images_is_noticed() -> None:
    mixed = step(lambda image: image.mean(dim=(0, 1), keepdim=True)[:, :1].expand(len(image), -1, -1, -1))
    with pytest.raises(AssertionError):
        PluginContract().test_a_batch_gives_what_single_images_give([mixed])
