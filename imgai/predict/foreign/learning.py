"""``imgai train --from PATH``: fine-tune the network in a third-party file."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from imgai.apart import words_of
from imgai.errors import ImgaiError, PluginError, UsageError
from imgai.plugin import Model, Predictor, Trainable, TrainContext
from imgai.predict.foreign import probe
from imgai.predict.foreign.community import _built, built_from
from imgai.predict.foreign.network import Foreign

_CLOSE = 1 / 255


def train(context: TrainContext) -> Trainable:
    """Go on from the weights of a file. What is saved is a state dict with the names that the file had.

    Raises UsageError for a network that cannot go on: one that is resized after it, or that is another one when its
    weights are saved and read again.
    """
    assert context.weights is not None
    network, descriptor, shrink = _built(context.weights)
    about = f"{context.weights} holds {descriptor.architecture.name}"
    if shrink != 1:
        raise UsageError(f"{about}, whose answer is resized by {shrink}: it cannot be trained", "begin with another")
    _check_saved(network, context.model, about)
    return Trainable(
        predictor=Predictor(network=network.to(context.device)),
        loss="l1",
        save=_saved,
        augment=("flip", "turn"),
        rate=5e-5,
    )


def _saved(network: Any) -> dict[str, Tensor]:
    """The tensors as the file had them. A tensor that another one shares its memory with is saved for itself."""
    state: dict[str, Tensor] = network.network.state_dict()
    return {name: value.detach().clone() for name, value in state.items()}


def _check_saved(network: Foreign, model: Model, about: str) -> None:
    """Raise UsageError for a network that is not the same when its weights are saved and read again."""
    side = -(-max(model.minimum, 32) // model.multiple_of) * model.multiple_of
    image = probe.picture(side, side, 3)
    with torch.inference_mode():
        before = network(image)
    # In the way that a training does it: what some networks hold beside their weights is made anew in evaluation alone.
    network.train()
    network.eval()
    hint = "imgai's own models can be trained; see: imgai models"
    try:
        again, _ = built_from(_saved(network), about)
        with torch.inference_mode():
            apart = float((again(image) - before).abs().max())
    except ImgaiError as error:
        raise UsageError(f"{about}, which cannot be trained: saved, it is not read again ({error})", hint) from error
    if apart > _CLOSE:
        raise UsageError(f"{about}, which cannot be trained: saved and read again, it answers otherwise", hint)
    with torch.inference_mode(False), torch.enable_grad():
        network.requires_grad_(True)
        try:
            network(image.clone()).mean().backward()
        except Exception as error:
            text = words_of(error)[:120]
            raise UsageError(f"{about}, which cannot be trained: {text}", hint) from error
        lacking = all(each.grad is None for each in network.parameters())
        network.zero_grad(set_to_none=True)
    if lacking:
        raise PluginError(f"{about}, which has nothing that learns", hint)
