"""Short trainings for tests: a trainable model must learn, and its load function must read back what it saves."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from imgai.plugin import LoadContext, Model, NoParams, Predictor, Task, Trainable, TrainContext, TrainParams
from imgai.predict.weights import find
from imgai.testing.images import discs
from imgai.training.losses import loss_of

STEPS = 4
LABELS = {"scores": ("one", "two"), "mask": ("thing",), "boxes": ("one", "two")}
"""The classes of the data set, by output."""
_SIDE = 64
_CPU = torch.device("cpu")


def begin(task: Task, model: Model) -> tuple[Model, Trainable, int]:
    """Call a model's train function. Returns the declaration with the data set's classes, its result, and the side of
    the pictures in pixels."""
    labels = LABELS.get(task.output.value)
    side = max(model.input_size) if model.input_size else max(_SIDE, -(-model.minimum // 32) * 32)
    model = dataclasses.replace(model, name="trained", labels=labels, label_ids=None, family=None, variant=None)
    weights = None if model.weights is None else find(model.weights)
    context = TrainContext(model=model, device=_CPU, weights=weights, params=TrainParams(size=side))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # for the initialization of a new head
        trainable = _function(model.train)(context)
    assert isinstance(trainable, Trainable), f"{model.train} returns a {type(trainable).__name__}"
    assert isinstance(trainable.predictor.network, nn.Module), f"{model.train}: the network is no torch.nn.Module"
    return model, trainable, side


def learn(task: Task, model: Model, trainable: Trainable, side: int) -> list[float]:
    """Train for a few steps on the same two pictures, then check one in bfloat16. Returns the loss of each step.

    Dropout uses the same random numbers in every step, so that the losses can be compared.
    """
    images, targets = pictures(task, model, trainable, side)
    network: Any = trainable.predictor.network
    loss = trainable.loss if callable(trainable.loss) else loss_of(trainable.loss, task.output, model.labels or ())
    optimizer = torch.optim.AdamW(network.parameters(), lr=trainable.rate or 1e-3)
    network.requires_grad_(True).train()
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            value = loss(network(trainable.predictor.preprocess(images)), targets)
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))
    # Where bfloat16 is fast, a training computes in bfloat16, and the loss in float32.
    with torch.autocast("cpu", torch.bfloat16):
        answer = network(trainable.predictor.preprocess(images))
    rounded = loss(_float32(answer), targets)
    assert bool(rounded.isfinite()), f"{model.train}: in bfloat16 the loss is {float(rounded)}"
    rounded.backward()
    network.eval()
    return losses


def _float32(answer: Any) -> Any:
    return answer.float() if isinstance(answer, Tensor) else tuple(each.float() for each in answer)


def pictures(task: Task, model: Model, trainable: Trainable, side: int) -> tuple[Tensor, Tensor]:
    """Return two pictures with discs and their targets, in the form that the loss takes."""
    drawn = [discs(side * model.scale, side * model.scale, seed=seed) for seed in (1, 2)]
    images = torch.cat([image for image, _ in drawn])
    inside = np.stack([mask.numpy() for _, mask in drawn])
    targets = _targets(task.output.value, images, inside, trainable)
    if model.scale > 1:
        images = nn.functional.interpolate(images, (side, side), mode="bilinear", antialias=True)
    elif task.inputs:
        assert trainable.spoil is not None, f"{model.train}: a task with inputs is taught by what spoil makes"
        images = trainable.spoil(images, torch.Generator().manual_seed(0))
    elif task.output.value == "image":
        images = images * 0.8 + 0.1 * torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
    return images, targets


def _targets(output: str, images: Tensor, inside: np.ndarray, trainable: Trainable) -> Tensor:
    """inside: ``(B, H, W)`` bool."""
    if output == "scores":
        return torch.arange(len(images))
    if output == "boxes":
        return torch.tensor([[[number % 2, 0.2, 0.3, 0.6, 0.7], [-1, 0, 0, 0, 0]] for number in range(len(images))])
    if output == "mask":
        maps = [_maps(each, trainable) for each in inside]
        return torch.from_numpy(np.stack(maps).astype(np.float32))
    return images.clone()


def _maps(inside: np.ndarray, trainable: Trainable) -> np.ndarray:
    from scipy import ndimage

    if trainable.target is None:
        return inside[None]
    return np.asarray(trainable.target(ndimage.label(inside)[0].astype(np.int32)))


def read_back(task: Task, model: Model, trainable: Trainable, folder: Path) -> Predictor:
    """Save the model and load it with its own load function."""
    network: Any = trainable.predictor.network
    tensors = trainable.save(network) if trainable.save else network.state_dict()
    path = folder / f"{model.task}.safetensors"
    save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, path)
    params = (model.params or NoParams)()
    loaded: Predictor = _function(model.load)(
        LoadContext(model=model, device=_CPU, weights=path, params=task.params(), model_params=params)
    )
    return loaded


def _function(name: str | None) -> Callable[[Any], Any]:
    assert name is not None
    module, _, attribute = name.partition(":")
    function: Callable[[Any], Any] = getattr(importlib.import_module(module), attribute)
    return function
