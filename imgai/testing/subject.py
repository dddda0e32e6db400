"""The plugin under test, and what checks need of it: its steps, pictures, and answers before they are bounded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from imgai.discovery import Plugin
from imgai.outputs import OutputType, output_of
from imgai.params import as_values
from imgai.plugin import Format, Kind, Model, NoParams, Task
from imgai.predict.step import Step
from imgai.registry import Registry, load_registry
from imgai.sample import GivenMask, Metadata, Sample, Source
from imgai.testing.images import scratches
from imgai.testing.state import kept
from imgai.testing.steps import load_step, step_of

LEVEL = 1 / 255
"""One of 255 levels of a picture."""


@dataclass
class Subject:
    """A plugin under test, loaded on the CPU.

    module: the name of the module that declares; "" where there is none to import.
    model_params: by model, values for those of its own params that it cannot do without.
    bfloat16_levels: by how many levels bfloat16 may change the answer on average; None: as the output has it.
    seam_levels: by how many levels of 255 tiles may differ from the whole at a pixel.
    unseen: names of params whose effect does not show on drawn pictures.
    """

    module: str = ""
    tasks: Sequence[Task] = ()
    models: Sequence[Model] = ()
    kinds: Sequence[Kind] = ()
    formats: Sequence[Format] = ()
    model_params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bfloat16_levels: float | None = None
    seam_levels: float = 8.0
    unseen: Sequence[str] = ()

    @classmethod
    def of(cls, plugin: Plugin, module: str, **others: Any) -> Subject:
        """What an installed plugin declares."""
        return cls(module, plugin.tasks, plugin.models, plugin.kinds, plugin.formats, **others)

    @cached_property
    def registry(self) -> Registry:
        """What is installed here, and the plugin, once."""
        installed = load_registry()
        known = [*installed.tasks.values(), *installed.models(), *installed.formats.values()]
        if all(each in known for each in (*self.tasks, *self.models, *self.formats)) and (self.tasks or self.models):
            return installed
        mine = Plugin(
            *("under-test", "under-test", "0"),
            tasks=tuple(self.tasks),
            models=tuple(self.models),
            kinds=tuple(self.kinds),
            formats=tuple(self.formats),
        )
        others = [plugin for plugin in installed.plugins if not plugin.broken and not self._same(plugin)]
        return Registry([*others, mine])

    def _same(self, plugin: Plugin) -> bool:
        """Whether this is the plugin under test, installed in another version."""
        mine = {(model.task, model.name) for model in self.models} | {task.name for task in self.tasks}
        theirs = {(model.task, model.name) for model in plugin.models} | {task.name for task in plugin.tasks}
        return not plugin.host and bool(mine & theirs) and not plugin.official

    def task(self, model: Model) -> Task:
        """The task of a model. Raises UsageError where nothing that is installed declares it."""
        mine = {task.name: task for task in self.tasks}
        return mine.get(model.task) or load_registry().task(model.task)

    @property
    def runnable(self) -> list[Model]:
        """The models that can be run."""
        return [model for model in self.models if not model.untrained]

    def load(self, model: Model, changed: Mapping[str, Any] | None = None, **placement: Any) -> Step:
        """A model with its default params, but for those that are changed. Raises what a run raises."""
        task, changed = self.task(model), changed or {}
        of_task = {each.name for each in dataclasses.fields(task.params)}
        mine = {**self.model_params.get(model.name, {}), **{k: v for k, v in changed.items() if k not in of_task}}
        params = as_values(task.params, {name: value for name, value in changed.items() if name in of_task})
        return load_step(
            task, model, params=params, model_params=as_values(model.params or NoParams, mine), **placement
        )

    @cached_property
    def steps(self) -> list[Step]:
        """Every model that can be run, loaded once; what that changes of the process is undone, and looked at later."""
        with kept():
            return [self.load(model) for model in self.runnable]

    @property
    def distinct(self) -> list[Step]:
        """The steps, one of those that differ in scale alone."""
        found: dict[object, Step] = {}
        for step in self.steps:
            model = step.model
            key = (model.family, model.load, model.overlap, model.multiple_of, model.tile) if model.family else id(step)
            found.setdefault(key, step)
        return list(found.values())


def output(step: Step) -> OutputType:
    """What the step's task returns."""
    return output_of(step.task.output)


def called(step: Step) -> str:
    """The model as people ask for it: ``denoise/photo``."""
    return f"{step.task.name}/{step.model.name}"


def sample(image: Tensor, step: Step) -> Sample:
    """A picture that was drawn, with a mask if the step's task takes one."""
    drawn = Sample(image, Source(None, "drawn"), Metadata("PNG"))
    if step.task.inputs:
        drawn.given[step.name] = GivenMask(scratches(drawn.height, drawn.width))
    return drawn


def as_given(step: Step, image: Tensor) -> Tensor:
    """What a model is given of an image ``(1, 3, H, W)``: a copy, with a mask as a fourth channel if it takes one."""
    if not step.task.inputs:
        return image.clone()
    mask = scratches(*image.shape[-2:]).to(image.dtype)
    return torch.cat((image * (1 - mask), mask), dim=1)


def difference(step: Step, one: Sample, other: Sample) -> Tensor:
    """How far two results of a step lie apart, 1 being the whole range."""
    return output(step).difference(one, other, step.name)


def changed(step: Step, **declared: Any) -> Step:
    """The step again, its model declared otherwise."""
    return step_of(step.task, dataclasses.replace(step.model, **declared), step.predictor)


def watched(step: Step, tile: int | None = None) -> tuple[Step, list[tuple[Tensor, Any]]]:
    """The step again, and a list that gets what its model is given and answers, before the host bounds it."""
    seen: list[tuple[Tensor, Any]] = []
    given: list[Tensor] = []

    def preprocess(images: Tensor) -> Tensor:
        given.append(images.clone())
        return step.predictor.preprocess(images)

    def postprocess(raw: Any) -> Any:
        answer = step.predictor.postprocess(raw)
        seen.append((given.pop(), answer))
        return answer

    predictor = dataclasses.replace(step.predictor, preprocess=preprocess, postprocess=postprocess)
    return step_of(step.task, step.model, predictor, tile=tile or step.tile), seen


def plain_side(step: Step, least: int = 64) -> int:
    """The side of a small picture that the model takes as it is, without padding."""
    if step.model.input_size is not None:
        return max(step.model.input_size)
    multiple = step.model.multiple_of
    return -(-max(least, step.model.minimum) // multiple) * multiple


def blocky(height: int, width: int, seed: int = 0) -> Tensor:
    """Coloured blocks, the left third of them dark: edges everywhere, and statistics that differ from part to part.

    Shape: ``(1, 3, H, W)`` float32 in [0, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    rows, columns = -(-height // 11), -(-width // 11)
    colors = torch.rand(1, 3, rows, columns, generator=generator)
    image = colors.repeat_interleave(11, 2).repeat_interleave(11, 3)[..., :height, :width].clone()
    image[..., : width // 3] *= 0.15
    return image


def attempt(work: Callable[[], Any]) -> str:
    """What goes wrong, on one line; empty if nothing does."""
    try:
        work()
    except Exception as error:
        return short(error)
    return ""


def short(error: BaseException) -> str:
    """An error on one line."""
    text = " ".join(str(error).split())
    return text if type(error).__module__ == "imgai.errors" else f"{type(error).__name__}: {text}"
