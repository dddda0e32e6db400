"""A plugin with a task for each output and models without weights, for tests of the host.

``brighten`` doubles the size and keeps the colours, ``find-light`` returns lightness as a mask, ``weigh`` scores dark
against light, ``box-light`` returns the box of light pixels, ``relief`` returns lightness as height, ``describe``
returns the colour of the middle, ``paint-over`` fills a mask with a mean. Register it with the entry point
``fake = "imgai.testing.fake"``, or pass its declarations to `imgai.runs.run`.
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

    gain: float = param(1.0, "Factor for the lightness.", minimum=0, maximum=10)
    slow: float = param(0.0, "Seconds to wait in each batch.", minimum=0)


BRIGHTEN = Task(name="brighten", summary="Twice the size.", default_model="double", output=Output.IMAGE)
FIND_LIGHT = Task(
    name="find-light", summary="Mask by lightness.", default_model="lightness", output=Output.MASK, params=LightParams
)
WEIGH = Task(name="weigh", summary="Dark or light.", default_model="mean", output=Output.SCORES)
BOX_LIGHT = Task(name="box-light", summary="Find the light part.", default_model="extent", output=Output.BOXES)
RELIEF = Task(name="relief", summary="Lightness as height.", default_model="metres", output=Output.MAP)
DESCRIBE = Task(name="describe", summary="The colour in the middle.", default_model="middle", output=Output.DATA)
PAINT_OVER = Task(
    name="paint-over", summary="Fill a mask.", default_model="even", output=Output.IMAGE, inputs=("mask",)
)

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
EXTENT = Model(
    name="extent", task="box-light", summary="The box of all light pixels.", license="Apache-2.0",
    load="imgai.testing.fake:load_extent", labels=("light", "dark"), input_size=(64, 64), fit="letterbox",
)  # fmt: skip
METRES = Model(
    name="metres", task="relief", summary="The mean of the channels.", license="Apache-2.0",
    load="imgai.testing.fake:load_metres", unit="m", range=(0.0, 100.0), tile=64, overlap=8,
)  # fmt: skip
MIDDLE = Model(
    name="middle", task="describe", summary="The strongest channel.", license="Apache-2.0",
    load="imgai.testing.fake:load_middle", input_size=(32, 32),
)  # fmt: skip
EVEN = Model(
    name="even", task="paint-over", summary="The mean of the pixels around the mask.", license="Apache-2.0",
    load="imgai.testing.fake:load_even", tile=64, overlap=8,
)  # fmt: skip


@hookimpl
def imgai_register_tasks() -> tuple[Task, ...]:
    """Return a task for each output, and one that takes a mask."""
    return BRIGHTEN, FIND_LIGHT, WEIGH, BOX_LIGHT, RELIEF, DESCRIBE, PAINT_OVER


@hookimpl
def imgai_register_models() -> tuple[Model, ...]:
    """Return a model for each task."""
    return DOUBLE, LIGHTNESS, MEAN, EXTENT, METRES, MIDDLE, EVEN


def load_double(context: LoadContext) -> Predictor:
    """Repeat each pixel in both directions."""
    return Predictor(network=lambda image: image.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))


def load_nothing(context: LoadContext) -> Predictor:
    """Return images unchanged."""
    return Predictor(network=identity)


def load_lightness(context: LoadContext) -> Predictor:
    """Return the mean of the channels, times the gain."""
    params = context.params

    def network(image: Tensor) -> Tensor:
        if params.slow:
            time.sleep(params.slow)
        return image.mean(dim=1, keepdim=True).mul(params.gain).clamp(0, 1)

    return Predictor(network=network)


def load_mean(context: LoadContext) -> Predictor:
    """Return one minus the mean, and the mean, as two scores."""

    import torch

    def network(image: Tensor) -> Tensor:
        light = image.mean(dim=(1, 2, 3))
        return torch.stack((1 - light, light), dim=1)

    return Predictor(network=network)


def load_extent(context: LoadContext) -> Predictor:
    """Return the box of all pixels lighter than 0.75, with their mean as its score."""
    import torch

    def network(image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        boxes = image.new_zeros(len(image), 1, 6)
        for light, row in zip(image.mean(dim=1), boxes, strict=True):
            y, x = (light > 0.75).nonzero(as_tuple=True)
            if len(y):
                edges = (x.min() / width, y.min() / height, (x.max() + 1) / width, (y.max() + 1) / height)
                row[0] = torch.stack((*edges, light[y, x].mean(), light.new_tensor(0)))
        return boxes

    return Predictor(network=network)


def load_metres(context: LoadContext) -> Predictor:
    """Return the mean of the channels, times 100."""
    return Predictor(network=lambda image: 100 * image.mean(dim=1, keepdim=True))


def load_middle(context: LoadContext) -> Predictor:
    """Return the strongest channel in the middle of the image, and its position."""

    def postprocess(image: Tensor) -> list[dict[str, object]]:
        middle = image[..., image.shape[-2] // 2, image.shape[-1] // 2]
        names = ("red", "green", "blue")
        return [{"color": names[int(values.argmax())], "points": [[0.5, 0.5]]} for values in middle]

    return Predictor(network=identity, postprocess=postprocess)


def load_even(context: LoadContext) -> Predictor:
    """Fill with the mean of the unmasked pixels up to 8 pixels away; mid-grey if there are none."""

    from torch.nn.functional import avg_pool2d

    def network(given: Tensor) -> Tensor:
        known = 1 - given[:, 3:]
        share = avg_pool2d(known, 17, 1, 8)
        mean = avg_pool2d(given[:, :3] * known, 17, 1, 8) / share.clamp(min=1e-3)
        return mean.where(share > 1e-3, 0.5)

    return Predictor(network=network)
