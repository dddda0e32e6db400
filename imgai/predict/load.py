"""Load a declared model as a predictor, and as a step."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from imgai.errors import ImgaiError, PluginError, UsageError
from imgai.outputs import output_of
from imgai.plugin import LoadContext, Model, NoParams, Predictor, Task
from imgai.predict.scaling import Scaling
from imgai.predict.size import Size
from imgai.predict.step import Step
from imgai.predict.weights import find


def load_step(
    task: Task,
    model: Model,
    *,
    device: torch.device,
    params: Any = NoParams(),
    model_params: Any = NoParams(),
    precision: torch.dtype = torch.float32,
    batch: int | None = None,
    tile: int | None = None,
    name: str = "",
    quantized: bool = False,
    explain: str | None = None,
) -> Step:
    """Load a model as a step.

    Raises PluginError, with the reason, if its weights or its code cannot be, UsageError if it cannot
    explain what it is to explain.
    """
    predictor = load_predictor(task, model, device=device, params=params, model_params=model_params)
    model = predictor.model or model
    if explain is not None:
        _check_explains(model, predictor, explain)
    return Step(
        task,
        model,
        predictor,
        device=device,
        precision=precision,
        batch=batch,
        tile=tile,
        name=name,
        quantized=quantized,
        explain=explain,
    )


def load_scaling(
    task: Task,
    members: Sequence[Model],
    size: Size,
    *,
    device: torch.device,
    params: Any = NoParams(),
    model_params: Any = NoParams(),
    precision: torch.dtype = torch.float32,
    batch: int | None = None,
    tile: int | None = None,
    name: str = "",
    quantized: bool = False,
) -> Scaling:
    """Load models that differ in scale as one step that brings pictures to a size. Raises as `load_step` does."""
    predictors = [
        (model, load_predictor(task, model, device=device, params=params, model_params=model_params))
        for model in sorted(members, key=lambda model: model.scale)
    ]
    return Scaling(
        task,
        predictors,
        size,
        device=device,
        precision=precision,
        batch=batch,
        tile=tile,
        name=name,
        quantized=quantized,
    )


def load_predictor(
    task: Task, model: Model, *, device: torch.device, params: Any = NoParams(), model_params: Any = NoParams()
) -> Predictor:
    """Load a model. Raises PluginError, with the reason, if its weights or its code cannot be."""
    weights = None if model.weights is None else find(model.weights)
    context = LoadContext(model=model, device=device, weights=weights, params=params, model_params=model_params)
    module, _, function = model.load.partition(":")
    try:
        predictor = getattr(importlib.import_module(module), function)(context)
    except ImgaiError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin that exits while it is imported must not take the run with it
        text = " ".join(str(error).split())
        raise PluginError(
            f"the model {model.name} of {task.name} cannot be loaded by {model.load}: {type(error).__name__}: {text}"
        ) from error
    if not isinstance(predictor, Predictor):
        raise PluginError(f"{model.load} must return a Predictor, not {type(predictor).__name__}")
    if not output_of(task.output).tiled and (predictor.model or model).input_size is None:
        raise PluginError(f"the model {model.name} returns {task.output.value}, so it must declare an input_size")
    return _prepared(predictor)


def _check_explains(model: Model, predictor: Predictor, label: str) -> None:
    if predictor.explain is None:
        raise UsageError(f"the model {model.name} cannot explain its scores", "leave out --explain, or use another")
    labels = model.labels or ()
    if label and label not in labels:
        near = difflib.get_close_matches(label, labels, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"it knows {len(labels)} others"
        raise UsageError(f"the model {model.name} has no label {label!r}", hint)


def _prepared(predictor: Predictor) -> Predictor:
    """In evaluation mode, without gradients, and with the memory layout that convolutions are fastest in."""
    for part in (predictor.preprocess, predictor.network, predictor.postprocess):
        if isinstance(part, nn.Module):
            part.eval().requires_grad_(False)
    if isinstance(predictor.network, nn.Module):
        predictor.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return predictor
