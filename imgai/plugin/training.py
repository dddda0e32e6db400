"""Training: the argument and the result of a model's train function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgai.plugin import Model, NoParams
from imgai.plugin.predictor import Predictor

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainParams:
    """Options of ``imgai train`` that change the network.

    size: the side of the square training crops in pixels, or the side of the resized picture for models with an
        `input_size`.
    width: the number of channels of the first stage; None: the model's default, which may depend on `size`.
    dropout: the probability of dropout, in [0, 1), for networks that have it.
    """

    size: int = 256
    width: int | None = None
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainContext:
    """The argument of a model's train function, which may raise `UsageError` for an impossible request.

    model: the declaration of the trained model, with the labels of the data set in place of the model's own.
    device: the device to train on.
    weights: the verified weights file to start from; None if the model declares none. Its head may be for other labels;
        see `take_over`.
    params: the user's options for the network. model_params: the model's own params, as in `LoadContext`.
    """

    model: Model
    device: torch.device
    weights: Path | None
    params: TrainParams = TrainParams()
    model_params: Any = NoParams()


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainable:
    """What ``imgai train`` needs from a model. The host reads pictures, crops, augments, optimizes, measures and saves.

    predictor: as `load` would return it, with the initial weights and a head for the labels of the context. Its network
        is a `torch.nn.Module`; all of its parameters that require gradients are trained.
    loss: a function of the network's output and the target that returns a scalar, or the name of one of the host's
        losses, a value of ``--loss``. The host's losses take logits (MASK, SCORES) or an image (IMAGE). Targets are
        int64 ``(B,)`` for SCORES; float32 ``(B, K, h, w)`` in [0, 1] for MASK, or the result of `target`; float32
        ``(B, 3, h * scale, w * scale)`` for IMAGE; float32 ``(B, M, 5)`` for BOXES: class, then x0, y0, x1, y1 as
        fractions, padded with rows of class -1.
    save: a function of the network that returns the tensors that `load` reads, by name. None: ``state_dict()``.
    target: for MASK models, a function from the labels as read, ``(H, W)`` int32 (0 is the background, then class
        indices from 1 or object numbers), to the target of the loss, ``(C, H, W)`` float32. None: one map per class.
    spoil: for IMAGE models and data sets of clean pictures only: a function from clean pictures
        ``(B, 3, h * scale, w * scale)`` in [0, 1] and a `torch.Generator` to degraded inputs ``(B, 3, h, w)``; for a
        task with ``inputs=("mask",)`` to ``(B, 4, h, w)``, with the mask as the fourth channel.
    augment: the augmentations that do not change the target, of "flip", "turn", "scale", "light", "color", "blur" and
        "noise". None: the defaults of the output.
    is_head: whether a parameter of that name belongs to the head, which is trained first and with the full learning
        rate.
    rate: a suitable learning rate for AdamW; None: the host's default.
    """

    predictor: Predictor
    loss: Callable[[Any, Tensor], Tensor] | str
    save: Callable[[Any], Mapping[str, Tensor]] | None = None
    target: Callable[[np.ndarray], np.ndarray] | None = None
    spoil: Callable[[Tensor, torch.Generator], Tensor] | None = None
    augment: tuple[str, ...] | None = None
    is_head: Callable[[str], bool] | None = None
    rate: float | None = None


def take_over(network: Any, tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Load the tensors whose names and shapes match those of a `torch.nn.Module`; the others stay unchanged.

    Returns the names of the parameters that were not loaded: the head, if the labels differ.
    """
    own = network.state_dict()
    fits = {name: value for name, value in tensors.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict({**own, **fits})
    return tuple(name for name in own if name not in fits)
