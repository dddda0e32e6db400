"""Build the initial network of a training from its options."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from imgai.apart import is_interrupt, words_of
from imgai.errors import ImgaiError, PluginError, UsageError
from imgai.params import options_of, picked, read
from imgai.plugin import Model, NoParams, Task, Trainable, TrainContext, TrainParams
from imgai.predict.weights import find
from imgai.registry import Registry
from imgai.training.dataset import Dataset
from imgai.training.layouts.mask import ONE_CLASS, ONE_OBJECT
from imgai.training.settings import TrainOptions

SIDE = 256
"""The side of crops, where the model takes pictures of any size and nobody says."""
_PIXELS = {True: 4 * 256 * 256, False: 16 * 224 * 224}
"""The number of pixels per step on a CPU, for tiled models and for models with an input_size."""
_GPU = 4
_LARGEST = 64


@dataclass(frozen=True, slots=True)
class Begun:
    """The initial state of a training.

    base: the declaration of the model that it begins with. model: of the one that comes of it. params: the base's own
    params. network: what is trained. size: the side of what it sees. fresh: it begins with a new head.
    """

    task: Task
    base: Model
    model: Model
    trainable: Trainable
    network: nn.Module
    size: int
    params: Any
    fresh: bool


def base_of(registry: Registry, task: Task, asked: str | None) -> Model:
    """The model to begin with, by name or, where none is named, the task's first that can be trained.

    Raises UsageError for one that cannot be.
    """
    able = [model for model in registry.models(task.name) if model.train is not None]
    if not able:
        raise UsageError(f"no model of {task.name} can be trained", "see: imgai models")
    if asked is None:
        return able[0]
    found = registry.members(task.name, asked)
    members = [model for model in found if model.train is not None]
    if not members and found[0].weights is not None and found[0].weights.file.startswith("file:"):
        hint = "begin with the state dict that it was made from, as .safetensors or .pth"
        raise UsageError(f"--from {asked} is a graph, which runs and cannot be trained", hint)
    if not members:
        names = ", ".join(dict.fromkeys(model.name for model in able))
        raise UsageError(f"the model {asked} of {task.name} cannot be trained", f"--from takes {names}")
    if len(members) > 1:
        names = ", ".join(model.name for model in members)
        raise UsageError(f"{asked} is several models", f"begin --from one of them: {names}")
    return members[0]


def labels_of(dataset: Dataset, base: Model) -> tuple[str, ...]:
    """Return the names of the classes: those of the data set, or of the base if a single class has no name."""
    nameless = dataset.labels in ((ONE_CLASS,), (ONE_OBJECT,))
    if nameless and base.labels is not None and len(base.labels) == 1 and not base.untrained:
        return base.labels
    return dataset.labels


def side_of(base: Model, dataset: Dataset, asked: int | None) -> int:
    """The side of what the network sees while it learns: a multiple of what the model needs."""
    if base.input_size is not None:
        side = asked or base.train_size or max(base.input_size)
    else:
        shorter = sorted(min(example.size) for example in dataset.parts["train"])
        side = asked or min(SIDE, shorter[len(shorter) // 2] if shorter else SIDE)
    step = base.multiple_of
    return max(step, -(-base.minimum // step) * step, round(side / step) * step)


def batch_of(model: Model, size: int, device: torch.device, pictures: int) -> int:
    """Return the batch size."""
    pixels = _PIXELS[model.input_size is None] * (_GPU if device.type == "cuda" else 1)
    most = pictures if model.input_size is not None else pictures // 2  # so that an epoch has some steps
    return max(2, min(_LARGEST, round(pixels / (size * size)), most))


def begin(
    task: Task,
    base: Model,
    asked: str,
    name: str,
    dataset: Dataset,
    options: TrainOptions,
    device: torch.device,
) -> Begun:
    """Build the network. asked: the base as it was named, with its variant.

    Raises UsageError for what cannot be, PluginError for a model that cannot be loaded.
    """
    assert base.train is not None
    torch.manual_seed(options.seed)
    size = side_of(base, dataset, options.size)
    params = _params(base, asked)
    changes: dict[str, Any] = {"labels": labels_of(dataset, base)} if dataset.labels else {}
    if base.input_size is not None and (options.size or base.train_size):
        changes |= {"input_size": (size, size), "train_size": None}
    changes |= {"name": name, "label_ids": None, "family": None, "weights": None, "variant": None}
    model = dataclasses.replace(base, **changes, untrained=False, bfloat16=False)
    context = TrainContext(
        model=model,
        device=device,
        weights=None if base.weights is None else find(base.weights),
        params=TrainParams(size=size, width=options.width, dropout=options.dropout),
        model_params=params,
    )
    trainable = _call(base.train, context, task)
    network = trainable.predictor.network
    if not isinstance(network, nn.Module):
        raise PluginError(f"{base.train} must return a Trainable whose network is a torch.nn.Module")
    model = trainable.predictor.model or model
    count = sum(each.numel() for each in network.parameters())
    if not count:
        raise PluginError(f"the network of {base.name} has no parameters to train")
    if model.input_size is not None:  # of a checkpoint, it is known only now
        size = max(model.input_size)
    fresh = model.labels != base.labels or base.untrained
    model = dataclasses.replace(model, parameters=count, summary=f"Trained from {asked or base.name}.")
    network.requires_grad_(True)
    if options.freeze:
        _freeze(network, trainable, base)
    return Begun(task, base, model, trainable, network, size, params, fresh)


def spoiled_as(begun: Begun, ours: Model) -> Begun:
    """The same, with clean pictures spoiled as for the training of another model. Raises as `begin` does."""
    if ours.train is None:
        return begun
    context = TrainContext(
        model=ours,
        device=torch.device("cpu"),
        weights=None if ours.weights is None else find(ours.weights),
        params=TrainParams(size=begun.size, width=None, dropout=0.0),
        model_params=_params(ours, None),
    )
    spoil = _call(ours.train, context, begun.task).spoil
    return dataclasses.replace(begun, trainable=dataclasses.replace(begun.trainable, spoil=spoil))


def _call(function: str, context: TrainContext, task: Task) -> Trainable:
    module, _, name = function.partition(":")
    try:
        trainable = getattr(importlib.import_module(module), name)(context)
    except ImgaiError:
        raise
    except ImportError as error:
        raise PluginError(str(error)) from error
    except BaseException as error:  # a plugin that exits while it is imported
        if is_interrupt(error):
            raise
        text = words_of(error)
        raise PluginError(f"{task.name} cannot be trained by {function}: {type(error).__name__}: {text}") from error
    if not isinstance(trainable, Trainable):
        raise PluginError(f"{function} must return a Trainable, not {type(trainable).__name__}")
    return trainable


def _params(base: Model, asked: str | None) -> Any:
    """The base's own params; of one that has variants, with the one that was named."""
    params = base.params or NoParams
    _, _, variant = (asked or "").partition("/")
    if not (variant and base.variant):
        return params()
    (option,) = (each for each in options_of(params) if each.name == base.variant)
    return picked(params, {base.variant: read(option, variant)})


def _freeze(network: nn.Module, trainable: Trainable, base: Model) -> None:
    """Leave the head alone to be trained."""
    if trainable.is_head is None:
        raise UsageError(f"--freeze: {base.name} does not say what its head is", "leave out --freeze")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(trainable.is_head(name))
    if not any(each.requires_grad for each in network.parameters()):
        raise UsageError(f"--freeze: nothing of {base.name} is left to be trained", "leave out --freeze")
