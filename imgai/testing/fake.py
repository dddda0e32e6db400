"""A plugin of three tasks that learned nothing, for tests of what is around a model.

``brighten`` doubles the size and keeps the colours, ``find-light`` masks by lightness, ``weigh`` scores dark against
light. Register it with an entry point ``fake = "imgai.testing.fake"``, or hand its declarations to `imgai.runs.run`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgai.plugin import LoadContext, Model, Output, Predictor, Task, hookimpl, identity, param

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LightParams:
    """Params of ``find-light``."""

    gain: float = param(1.0, "How much lighter everything is taken for.", minimum=0, maximum=10)
    slow: float = param(0.0, "Seconds that each batch takes.", minimum=0)


BRIGHTEN = Task(name="brighten", summary="Twice the size.", default_model="double", output=Output.IMAGE)
FIND_LIGHT = Task(
    name="find-light", summary="Mask by lightness.", default_model="lightness", output=Output.MASK, params=LightParams
)
WEIGH = Task(name="weigh", summary="Dark or light.", default_model="mean", output=Output.SCORES)

DOUBLE = Model(
    name="double", task="brighten", summary="By repetition.", license="Apache-2.0",
    load="imgai.testing.fake:load_double", scale=2, tile=64, overlap=8,
)  # fmt: skip
LIGHTNESS = Model(
    name="lightness", task="find-light", summary="The mean of the channels.", license="Apache-2.0",
    load="imgai.testing.fake:load_lightness", labels=("light",), tile=64, overlap=8, multiple_of=8, minimum=16,
)  # fmt: skip
MEAN = Model(
    name="mean", task="weigh", summary="The mean of the picture.", license="Apache-2.0",
    load="imgai.testing.fake:load_mean", labels=("dark", "light"), input_size=(32, 32),
)  # fmt: skip


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """The three tasks."""
    return BRIGHTEN, FIND_LIGHT, WEIGH


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """A model for each."""
    return DOUBLE, LIGHTNESS, MEAN


def load_double(context: LoadContext) -> Predictor:
    """Each pixel four times."""
    return Predictor(network=lambda image: image.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))


def load_nothing(context: LoadContext) -> Predictor:
    """What changes nothing."""
    return Predictor(network=identity)


def load_lightness(context: LoadContext) -> Predictor:
    """The mean of the channels, times the gain."""
    params = context.params

    def network(image: Tensor) -> Tensor:
        if params.slow:
            time.sleep(params.slow)
        return image.mean(dim=1, keepdim=True).mul(params.gain).clamp(0, 1)

    return Predictor(network=network)


def load_mean(context: LoadContext) -> Predictor:
    """One minus the mean, and the mean."""

    import torch

    def network(image: Tensor) -> Tensor:
        light = image.mean(dim=(1, 2, 3))
        return torch.stack((1 - light, light), dim=1)

    return Predictor(network=network)
