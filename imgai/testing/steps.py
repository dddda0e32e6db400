"""Steps for tests: from declarations that need not be installed, or from a predictor."""

from __future__ import annotations

from typing import Any

import torch

from imgai.outputs import StepContext
from imgai.plugin import Model, NoParams, Predictor, Task
from imgai.predict.load import load_step as _load_step
from imgai.predict.machine import Placement
from imgai.predict.spec import StepSpec
from imgai.predict.step import Step
from imgai.registry import load_registry
from imgai.words.steps import uses_of


def load_step(
    task: Task,
    model: Model,
    *,
    params: Any = None,
    model_params: Any = None,
    explain: str | None = None,
    quantized: bool = False,
    **placement: Any,
) -> Step:
    """Load a declared model as the host does.

    params, model_params: the params of the task and of the model; None for the defaults.
    explain: for SCORES, the label whose saliency map is computed; "" for the best label.
    quantized: return images with the depth of their file instead of float32.
    placement: device (default: the CPU), precision (a torch.dtype), batch, tile.

    Raises PluginError and UsageError, like a run.
    """
    spec = StepSpec(
        task,
        model,
        task.params() if params is None else params,
        (model.params or NoParams)() if model_params is None else model_params,
        explain=explain,
        uses=uses_of(model, load_registry()) if model.uses else {},
    )
    return _load_step(spec, _placement(**placement), quantized=quantized)


def step_of(
    task: Task,
    model: Model,
    predictor: Predictor,
    *,
    explain: str | None = None,
    quantized: bool = False,
    **placement: Any,
) -> Step:
    """Make a step of a loaded predictor, with the padding, tiling and checks of a run. Arguments as in `load_step`."""
    return Step(task, [StepContext(model, predictor, task.name, quantized, explain)], _placement(**placement))


def _placement(device: torch.device | str = "cpu", **others: Any) -> Placement:
    return Placement(torch.device(device), **others)
