"""The plugin under test, and what checks need: its steps, pictures, and answers before the host clamps them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from imgai.discovery import Plugin
from imgai.errors import PluginError, UsageError
from imgai.outputs import OutputType, output_of
from imgai.params import as_values
from imgai.plugin import Contract, Format, Kind, Model, NoParams, Task
from imgai.predict.step import Step
from imgai.registry import Registry, load_registry
from imgai.sample import GivenMask, Metadata, Sample, Source
from imgai.testing.images import scratches
from imgai.testing.state import kept
from imgai.testing.steps import load_step, step_of

LEVEL = 1 / 255
"""One of the 255 levels of an 8-bit picture."""


@dataclass
class Subject:
    """A plugin under test, loaded on the CPU.

    module: the name of the module with the declarations; "" if there is none to import.
    model_params: values for required params of models, by model name.
    contract: what the plugin says of itself.
    examples: a folder of pictures with ground truth, laid out as for ``imgai evaluate``; None: there is none.
    """

    module: str = ""
    tasks: Sequence[Task] = ()
    models: Sequence[Model] = ()
    kinds: Sequence[Kind] = ()
    formats: Sequence[Format] = ()
    model_params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    contract: Contract = field(default_factory=Contract)
    examples: Path | str | None = None

    @classmethod
    def of(cls, plugin: Plugin, module: str, **others: Any) -> Subject:
        """Make a subject of an installed plugin."""
        return cls(module, plugin.tasks, plugin.models, plugin.kinds, plugin.formats, **others)

    @cached_property
    def registry(self) -> Registry:
        """The registry of the installed plugins, with the plugin under test in place of an installed version of it."""
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
        """Whether this is an installed version of the plugin under test."""
        mine = {(model.task, model.name) for model in self.models} | {task.name for task in self.tasks}
        theirs = {(model.task, model.name) for model in plugin.models} | {task.name for task in plugin.tasks}
        return not plugin.host and bool(mine & theirs) and not plugin.official

    def task(self, model: Model) -> Task:
        """Return the task of a model. Raises UsageError if no installed plugin declares it."""
        mine = {task.name: task for task in self.tasks}
        return mine.get(model.task) or load_registry().task(model.task)

    @property
    def runnable(self) -> list[Model]:
        """The models that can be run."""
        return [model for model in self.models if not model.untrained]

    def load(self, model: Model, changed: Mapping[str, Any] | None = None, **placement: Any) -> Step:
        """Load a model with default params except for those in `changed`. Raises the same errors as a run."""
        task, changed = self.task(model), changed or {}
        of_task = {each.name for each in dataclasses.fields(task.params)}
        mine = {**self.model_params.get(model.name, {}), **{k: v for k, v in changed.items() if k not in of_task}}
        params = as_values(task.params, {name: value for name, value in changed.items() if name in of_task})
        return load_step(
            task, model, params=params, model_params=as_values(model.params or NoParams, mine), **placement
        )

    @cached_property
    def loaded(self) -> dict[str, Step | Exception]:
        """All models that can be run, loaded once, or why one could not be, by full name.

        Changes to global state are undone; `state` checks for them.
        """
        found: dict[str, Step | Exception] = {}
        with kept():
            for model in self.runnable:
                name = f"{model.task}/{model.name}"  # two tasks may have models of one name
                try:
                    found[name] = self.load(model)
                except Exception as error:
                    found[name] = error
        return found

    @cached_property
    def steps(self) -> list[Step]:
        """The models that could be loaded."""
        return [step for step in self.loaded.values() if isinstance(step, Step)]

    @property
    def left_out(self) -> dict[str, str]:
        """Models that are not checked, as they need params that nobody gave: why, by full name."""
        return {name: short(error) for name, error in self.loaded.items() if isinstance(error, UsageError)}

    @property
    def distinct(self) -> list[Step]:
        """The steps, with one member per family."""
        steps: dict[object, Step] = {}
        for step in self.steps:
            model = step.model
            key = (model.family, model.load, model.overlap, model.multiple_of, model.tile) if model.family else id(step)
            steps.setdefault(key, step)
        return list(steps.values())


def output(step: Step) -> OutputType:
    """Return the output type of a step's task."""
    return output_of(step.task.output)


def called(step: Step) -> str:
    """Return the full name of a step's model: ``denoise/photo``."""
    return f"{step.task.name}/{step.model.name}"


def sample(image: Tensor, step: Step) -> Sample:
    """Make a sample of an image, with a mask if the step's task takes one."""
    drawn = Sample(image, Source(None, "drawn"), Metadata("PNG"))
    if step.task.inputs:
        drawn.given[step.name] = GivenMask(scratches(drawn.height, drawn.width))
    return drawn


def as_given(step: Step, image: Tensor) -> Tensor:
    """Return the model input for an image ``(1, 3, H, W)``: a copy, with a mask as fourth channel if it takes one."""
    if not step.task.inputs:
        return image.clone()
    mask = scratches(*image.shape[-2:]).to(image.dtype)
    return torch.cat((image * (1 - mask), mask), dim=1)


def difference(step: Step, one: Sample, other: Sample) -> Tensor:
    """Return the difference of two results of a step at each element, as a fraction of the full range."""
    return output(step).difference(one, other, step.name)


def changed(step: Step, **declared: Any) -> Step:
    """Return a copy of the step with other fields in its model's declaration."""
    return step_of(step.task, dataclasses.replace(step.model, **declared), step.predictor)


def watched(step: Step, tile: int | None = None) -> tuple[Step, list[tuple[Tensor, Any]]]:
    """Return a copy of the step, and a list that collects pairs of its model's input and unclamped answer."""
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
    """Return the side of a small picture that the model accepts without padding."""
    if step.model.input_size is not None:
        return max(step.model.input_size)
    multiple = step.model.multiple_of
    return -(-max(least, step.model.minimum) // multiple) * multiple


def blocky(height: int, width: int, seed: int = 0) -> Tensor:
    """Draw coloured blocks, the left third of them dark: many edges, and statistics that vary across the picture.

    Shape: ``(1, 3, H, W)`` float32 in [0, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    rows, columns = -(-height // 11), -(-width // 11)
    colors = torch.rand(1, 3, rows, columns, generator=generator)
    image = colors.repeat_interleave(11, 2).repeat_interleave(11, 3)[..., :height, :width].clone()
    image[..., : width // 3] *= 0.15
    return image


def attempt(work: Callable[[], Any]) -> str:
    """Call a function and return its error on one line; empty if it succeeds."""
    try:
        work()
    except Exception as error:
        return short(error)
    return ""


def contract_of(module: ModuleType) -> Contract:
    """Return what a plugin says of itself. Raises PluginError if its hook fails, or returns something else."""
    try:
        declared = getattr(module, "imgai_contract", Contract)()
    except Exception as error:
        raise PluginError(f"the hook imgai_contract of {module.__name__} fails: {short(error)}", "mend it") from error
    if type(declared) is not Contract:
        what = f"the hook imgai_contract of {module.__name__} returns a {type(declared).__name__}"
        raise PluginError(what, "return an imgai.plugin.Contract")
    return declared


def short(error: BaseException) -> str:
    """Return an error on one line."""
    text = " ".join(str(error).split())
    return text if type(error).__module__ == "imgai.errors" else f"{type(error).__name__}: {text}"
