"""Checks of bfloat16 and of training, for models that declare them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from imgai.plugin import Model, Task
from imgai.testing import training as _training
from imgai.testing.fault import Fault
from imgai.testing.images import gradient, noise
from imgai.testing.steps import step_of
from imgai.testing.subject import LEVEL, Subject, called, difference, output, sample, short


def bfloat16(subject: Subject) -> Iterator[Fault]:
    """bfloat16 makes no visible difference for models that declare it."""
    for step in subject.steps:
        if not step.model.bfloat16:
            continue
        rounded = step_of(step.task, step.model, step.predictor, tile=step.tile, precision=torch.bfloat16)
        # Structure with grain, like photographs.
        picture = sample(0.8 * gradient(192, 256) + 0.2 * noise(192, 256), step)
        apart = float(difference(step, step(picture), rounded(picture)).mean())
        levels = subject.contract.bfloat16_levels or output(step).bfloat16_levels
        if apart > levels * LEVEL:
            words = f"in bfloat16 its answers are {apart * 255:.2f} levels off on average, {levels:g} at most"
            yield Fault(called(step), words, "take bfloat16=True out")


def training(subject: Subject) -> Iterator[Fault]:
    """A trainable model learns, and its load function reads back what it saves."""
    seen = set()
    for model in subject.models:
        if model.train is None or model.variant or (model.weights is None and not model.untrained):
            continue  # the user has to name a variant
        if (model.family, model.train) in seen and model.family:
            continue  # another member of the same family was checked
        seen.add((model.family, model.train))
        with tempfile.TemporaryDirectory() as folder:
            words = _untaught(subject.task(model), model, Path(folder))
        if words:
            yield Fault(model.name, words, f"see {model.train}")


def _untaught(task: Task, declared: Model, folder: Path) -> str:
    """Return what is wrong with the training of a model; empty if nothing is."""
    try:
        model, trainable, side = _training.begin(task, declared)
        losses = _training.learn(task, model, trainable, side)
        if not min(losses[1:]) < losses[0]:
            return f"it does not learn: the loss goes {', '.join(f'{loss:.4g}' for loss in losses)}"
        loaded = _training.read_back(task, model, trainable, folder)
    except Exception as error:
        return f"training fails: {short(error)}"
    if loaded.survey is not None:
        return ""  # it is trained on whole pictures but runs on tiles, so that the answers may differ
    image = gradient(side, side)
    if task.inputs and trainable.spoil is not None:
        image = trainable.spoil(image, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = (each.postprocess(each.network(each.preprocess(image))) for each in (trainable.predictor, loaded))
    return "" if torch.allclose(one, other, atol=1e-3) else "saved and loaded, it says something else"
