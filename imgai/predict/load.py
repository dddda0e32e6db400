"""Load a declared model as a predictor, and as a step."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from functools import partial

import torch
from torch import nn

from imgai.apart import is_interrupt, words_of
from imgai.errors import ImgaiError, PluginError, UsageError
from imgai.images.decode import read_image
from imgai.outputs import StepContext, output_of
from imgai.outputs.explain import NEEDS_CAPTUM
from imgai.plugin import LoadContext, Model, Predictor
from imgai.predict.machine import CPU, Placement
from imgai.predict.scaling import Scaling
from imgai.predict.size import Size
from imgai.predict.spec import StepSpec
from imgai.predict.step import Step
from imgai.predict.uncertain import Uncertain
from imgai.predict.weights import find


def load(spec: StepSpec, placement: Placement = CPU, *, quantized: bool = False) -> Step | Scaling | Uncertain:
    """Load what was asked for: one model, or the models of a family that bring pictures to a size."""
    if spec.size is None:
        step = load_step(spec, placement, quantized=quantized)
        return Uncertain(step) if spec.explain is not None and _varies(spec) else step
    return load_scaling(spec, spec.size, placement, quantized=quantized)


def load_step(spec: StepSpec, placement: Placement = CPU, *, quantized: bool = False) -> Step:
    """Load the spec's model as a step. quantized: it gives images at the depth of their file, not in float.

    Raises PluginError, with the reason, if its weights or its code cannot be, UsageError if it cannot
    explain what it is to explain.
    """
    predictor = load_predictor(spec, spec.model, placement.device)
    model = predictor.model or spec.model
    if spec.explain is not None:
        _check_explains(spec, model, predictor, spec.explain)
    explain = None if _varies(spec) else spec.explain
    context = StepContext(
        model, predictor, spec.name, quantized, explain, spec.explain_by, spec.normalize, spec.mask.grow
    )
    return Step(spec.task, [context], placement)


def _varies(spec: StepSpec) -> bool:
    """Whether what wavers is seen by predicting whole pictures again."""
    return spec.explain_by == "uncertainty" and output_of(spec.task.output).varies


def load_scaling(spec: StepSpec, size: Size, placement: Placement = CPU, *, quantized: bool = False) -> Scaling:
    """Load the spec's models, which differ in scale, as one step that brings pictures to a size.

    Raises as `load_step` does.
    """
    models = sorted(spec.models, key=lambda model: model.scale)
    members = [
        StepContext(model, load_predictor(spec, model, placement.device), spec.name, quantized) for model in models
    ]
    return Scaling(spec.task, members, size, placement)


def load_predictor(spec: StepSpec, model: Model, device: torch.device) -> Predictor:
    """Load a model of the spec. Raises PluginError, with the reason, if its weights or its code cannot be."""
    task = spec.task
    weights = None if model.weights is None else find(model.weights)
    context = LoadContext(
        model=model,
        device=device,
        weights=weights,
        params=spec.params,
        model_params=spec.model_params,
        read_image=partial(read_image, max_pixels=spec.max_pixels),
        load=partial(_used, spec, device),
    )
    module, _, function = model.load.partition(":")
    try:
        predictor = getattr(importlib.import_module(module), function)(context)
    except ImgaiError:
        raise
    except BaseException as error:  # a plugin that exits while it is imported must not take the run with it
        if is_interrupt(error):
            raise
        text = words_of(error)
        raise PluginError(
            f"the model {model.name} of {task.name} cannot be loaded by {model.load}: {type(error).__name__}: {text}"
        ) from error
    if not isinstance(predictor, Predictor):
        raise PluginError(f"{model.load} must return a Predictor, not {type(predictor).__name__}")
    if not output_of(task.output).tiled and (predictor.model or model).input_size is None:
        raise PluginError(f"the model {model.name} returns {task.output.value}, so it must declare an input_size")
    return _prepared(predictor)


def _used(spec: StepSpec, device: torch.device, name: str) -> Predictor:
    """A model that the spec's is made of, ready to be called in it. Raises UsageError for another."""
    if name not in spec.uses:
        raise UsageError(f"{spec.model.name} loads {name}, which it does not declare", f"declare uses=({name!r},)")
    used = spec.uses[name]
    predictor = load_predictor(used, used.model, device)
    if isinstance(predictor.network, nn.Module):
        predictor.network.eval().requires_grad_(False)
    return predictor


def _check_explains(spec: StepSpec, model: Model, predictor: Predictor, label: str) -> None:
    by = spec.explain_by
    if by in NEEDS_CAPTUM:
        if importlib.util.find_spec("captum") is None:
            raise UsageError(f"--explain {by} needs captum", "pip install 'imgai[explain]'")
    elif not _varies(spec) and (predictor.explain is None or model.input_size is None):
        what = spec.task.output.value
        hint = "--explain uncertainty shows where it wavers" if output_of(spec.task.output).varies else "use another"
        raise UsageError(f"the model {model.name} cannot explain its {what} by {by}", hint)
    labels = model.labels or ()
    if label and label not in labels:
        near = difflib.get_close_matches(label, labels, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"it knows {len(labels)} others"
        raise UsageError(f"the model {model.name} has no label {label!r}", hint)


def _prepared(predictor: Predictor) -> Predictor:
    """Set preprocess and postprocess to evaluation mode without gradients; a backend prepares the network."""
    for part in (predictor.preprocess, predictor.postprocess):
        if isinstance(part, nn.Module):
            part.eval().requires_grad_(False)
    return predictor
