"""The contract between the host and a plugin, as tests to inherit::

class TestContract(PluginContract):
    plugin = imgai_denoise
"""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
import torch

from imgai.discovery import Plugin
from imgai.outputs import StepContext, output_of
from imgai.plugin import Model, NoParams, Task
from imgai.predict.step import Step
from imgai.predict.weights import find
from imgai.registry import Registry, load_registry
from imgai.sample import Metadata, Sample, Source
from imgai.testing import training
from imgai.testing.images import gradient, noise
from imgai.testing.steps import load_step, step_of

_HEAVY = ("torch", "kornia", "numpy", "PIL", "scipy", "skimage")
_LONGEST_SUMMARY = 90
_LEVEL = 1 / 255


class PluginContract:
    """What every plugin keeps. Set `plugin` to the module of its entry point."""

    plugin: ClassVar[ModuleType]
    model_params: ClassVar[dict[str, dict[str, Any]]] = {}
    """By model: values for those of its own params that it cannot do without."""
    bfloat16_levels: ClassVar[float | None] = None
    """By how many levels of 255 bfloat16 may change the answer on average; None: a quarter for images, else 2."""

    @pytest.fixture(scope="class")
    @classmethod
    def registry(cls) -> Registry:
        """The plugin alone with what is installed here, itself included once."""
        installed = load_registry()
        mine = cls._models()
        if all(model in installed.models() for model in mine):
            return installed
        declared = Plugin("under-test", "under-test", "0", cls._tasks(), mine)
        return Registry([*(plugin for plugin in installed.plugins if not plugin.broken), declared])

    @classmethod
    def _tasks(cls) -> tuple[Task, ...]:
        register = getattr(cls.plugin, "imgai_register_tasks", tuple)
        return tuple(register())

    @classmethod
    def _models(cls) -> tuple[Model, ...]:
        register = getattr(cls.plugin, "imgai_register_models", tuple)
        return tuple(register())

    @classmethod
    def _steps(cls, registry: Registry) -> list[Step]:
        steps = []
        for model in (each for each in cls._models() if not each.untrained):
            task = registry.task(model.task)
            model_params = (model.params or NoParams)(**cls.model_params.get(model.name, {}))
            steps.append(load_step(task, model, model_params=model_params))
        return steps

    @pytest.fixture(scope="class")
    @classmethod
    def steps(cls, registry: Registry) -> list[Step]:
        """Every model of the plugin, loaded on the CPU with its default params."""
        return cls._steps(registry)

    def test_it_registers_without_complaint(self, registry: Registry) -> None:
        names = {plugin.name for plugin in registry.broken}
        assert "under-test" not in names, [plugin.broken for plugin in registry.broken]
        assert self._models()

    def test_declaring_imports_nothing_heavy(self) -> None:
        program = f"""
import sys, {self.plugin.__name__} as plugin
[register() for name in ("imgai_register_tasks", "imgai_register_models") if (register := getattr(plugin, name, None))]
sys.exit(", ".join(sorted(set({_HEAVY!r}) & set(sys.modules))) or 0)
"""
        answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert answer.returncode == 0, f"declaring imports {answer.stderr}"

    def test_summaries_fit_on_a_line(self) -> None:
        declarations: list[Task | Model] = [*self._tasks(), *self._models()]
        for declared in declarations:
            assert 0 < len(declared.summary) <= _LONGEST_SUMMARY, declared.name
            assert declared.summary.endswith("."), f"{declared.name}: a summary is a sentence"

    def test_weights_are_what_is_declared(self) -> None:
        for model in self._models():
            weights = model.weights
            if weights is None:
                continue
            assert weights.file.endswith(".safetensors"), f"{model.name}: ship safetensors, never pickles"
            path = find(weights)
            assert path.stat().st_size == weights.size, model.name
            assert hashlib.sha256(path.read_bytes()).hexdigest() == weights.sha256, model.name
            assert weights.license, model.name
            if "://" not in weights.file:
                cards = [path.with_name(f"{name}.md") for name in (path.stem, model.family) if name]
                assert any(card.is_file() for card in cards), f"{model.name}: no model card {cards[0].name} beside it"

    def test_images_of_any_size_give_what_is_promised(self, steps: list[Step]) -> None:
        for step in steps:
            context = StepContext(step.model, step.predictor, step.name)
            for height, width in _sizes(step.model):
                result = step(_sample(noise(height, width)))
                problem = output_of(step.task.output).violation(result, context, (height, width))
                assert not problem, f"{step.model.name}: at {height}x{width} pixels {problem}"

    def test_a_batch_gives_what_single_images_give(self, steps: list[Step]) -> None:
        for step in steps:
            side = step.model.tile if step.model.input_size is None else max(step.model.input_size)
            samples = [_sample(gradient(side, side)), _sample(noise(side, side))]
            single = [step(sample) for sample in samples]
            together = [result for result in step.stream(samples) if isinstance(result, Sample)]
            for one, other in zip(single, together, strict=True):
                assert _difference(step, one, other).max() <= 2 * _LEVEL, step.model.name

    def test_it_is_deterministic(self, steps: list[Step], registry: Registry) -> None:
        again = self._steps(registry)
        for step, other in zip(steps, again, strict=True):
            sample = _sample(noise(96, 96, seed=1))
            assert _difference(step, step(sample), other(sample)).max() == 0, step.model.name

    def test_what_tells_objects_apart_can_be_pickled(self, steps: list[Step]) -> None:
        for step in steps:
            if step.predictor.instances is None:
                continue
            try:
                size = len(pickle.dumps(step.predictor.instances))
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                pytest.fail(f"{step.model.name}: instances must be a module's function or a partial of one: {error}")
            assert size < 10_000, f"{step.model.name}: instances carries {size} bytes; leave the network out"

    def test_tiles_leave_no_seam(self, steps: list[Step]) -> None:
        for step in steps:
            model = step.model
            if model.input_size is not None or not output_of(step.task.output).dense:
                continue
            side = model.tile + model.tile // 2
            sample = _sample(gradient(side, side))
            whole = step_of(step.task, model, step.predictor, tile=side + model.multiple_of + model.minimum)
            difference = _difference(step, step(sample), whole(sample))
            assert difference.max() <= 8 * _LEVEL, f"{model.name}: {difference.max() * 255:.1f} levels; more overlap?"

    def test_bfloat16_changes_next_to_nothing_where_it_is_declared(self, steps: list[Step]) -> None:
        for step in steps:
            if not step.model.bfloat16:
                continue
            rounded = step_of(step.task, step.model, step.predictor, tile=step.tile, precision=torch.bfloat16)
            # Structure with grain upon it, as pictures have.
            sample = _sample(0.8 * gradient(192, 256) + 0.2 * noise(192, 256))
            difference = _difference(step, step(sample), rounded(sample))
            levels = self.bfloat16_levels or output_of(step.task.output).bfloat16_levels
            assert difference.mean() <= levels * _LEVEL, f"{step.model.name}: {difference.mean() * 255:.2f} levels"

    def test_what_can_be_trained_learns_and_is_read_back(self, tmp_path: Path) -> None:
        tasks = {task.name: task for task in (*load_registry().tasks.values(), *self._tasks())}
        seen = set()
        for declared in self._models():
            if declared.train is None or declared.variant or (declared.weights is None and not declared.untrained):
                continue  # a variant is named by the person
            if (declared.family, declared.train) in seen and declared.family:
                continue  # another scale of the same
            seen.add((declared.family, declared.train))
            task = tasks[declared.task]
            model, trainable, side = training.begin(task, declared)
            losses = training.learn(task, model, trainable, side)
            assert min(losses[1:]) < losses[0], f"{declared.name}: the loss goes {losses}"
            loaded = training.read_back(task, model, trainable, tmp_path)
            if loaded.survey is not None:
                continue  # it is trained on whole pictures, and run on tiles
            image = gradient(side, side)
            with torch.inference_mode():
                one, other = (
                    each.postprocess(each.network(each.preprocess(image))) for each in (trainable.predictor, loaded)
                )
            assert torch.allclose(one, other, atol=1e-3), f"{declared.name}: saved and loaded, it says something else"


def _sizes(model: Model) -> list[tuple[int, int]]:
    """Sizes at which implementations break: one pixel, odd, around what is declared."""
    sizes = {(1, 1), (1, 37), (31, 33), (model.multiple_of + 1, model.multiple_of)}
    if model.minimum > 1:
        sizes.add((model.minimum - 1, model.minimum + 1))
    if model.input_size is None:
        sizes.add((min(model.tile, 512) + 1, 40))
    else:
        sizes.add((model.input_size[0] + 1, model.input_size[1] - 1))
    return sorted(sizes)


def _sample(image: torch.Tensor) -> Sample:
    return Sample(image, Source(None, "drawn"), Metadata("PNG"))


def _difference(step: Step, one: Sample, other: Sample) -> torch.Tensor:
    """How far two results of a step lie apart, 1 being the whole range."""
    return output_of(step.task.output).difference(one, other, step.name)
