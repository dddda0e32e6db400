"""Models that are trained: what a model's train function is given and returns."""

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
    """The options of a network to be trained that the user chooses.

    size: the side of the square crops that it is trained on, or of what its `input_size` makes of a picture (pixels).
    width: how many channels its first stage has; None: the model's own, or as `size` suggests.
    dropout: the probability of dropout, in [0, 1); for networks that have it.
    """

    size: int = 256
    width: int | None = None
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainContext:
    """The argument of a model's train function, which may raise `UsageError` for what is not possible.

    model: the declaration that the trained model will have: the data set's labels instead of the model's own.
    device: where it is trained.
    weights: the verified weights file to start from; None where the model declares none. It may hold a head for other
        labels than the model's: see `take_over`.
    params: what was chosen of the network. model_params: the model's own params, as `LoadContext` has them.
    """

    model: Model
    device: torch.device
    weights: Path | None
    params: TrainParams = TrainParams()
    model_params: Any = NoParams()


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainable:
    """What ``imgai train`` needs of a model; it reads pictures, cuts, augments, steps, measures and saves.

    predictor: as `load` would return it, with the base's weights and a head for the labels of the context. Its network
        is a `torch.nn.Module` whose parameters are trained, all that require gradients.
    loss: what the network returned and the target to a scalar; or the name of one of the host's, a value of ``--loss``.
        The host's are of logits (MASK, SCORES) or of an image (IMAGE). Targets are int64 ``(B,)`` for SCORES; float32
        ``(B, K, h, w)`` in [0, 1] for MASK, or what `target` makes; float32 ``(B, 3, h * scale, w * scale)`` for IMAGE;
        for BOXES a float32 ``(B, M, 5)``: class, then x0, y0, x1, y1 as fractions, class -1 filling up.
    save: the network to the tensors that `load` reads, by name. None: its ``state_dict()``.
    target: of a MASK model: a picture of labels as it was read, ``(H, W)`` int32 (0 the background; the index of a
        class from 1 on, or the number of an object), to what the loss takes, ``(C, H, W)`` float32. None: a map for
        each class.
    spoil: of an IMAGE model: clean pictures ``(B, 3, h * scale, w * scale)`` in [0, 1] and a `torch.Generator` to the
        pictures that the network is given, ``(B, 3, h, w)``; for data sets of clean pictures alone.
    augment: the augmentations that keep what a picture shows, of "flip", "turn", "scale", "light", "color", "blur" and
        "noise". None: those that suit the output.
    is_head: whether a parameter of that name belongs to the head, which is trained first and at the full rate.
    rate: the learning rate that suits the network and AdamW; None: the host's.
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
    """Load into a `torch.nn.Module` the tensors whose name and shape fit it; the others of it stay as they are.

    Returns the names of those that stay: the head, where it is for other labels.
    """
    own = network.state_dict()
    fits = {name: value for name, value in tensors.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict({**own, **fits})
    return tuple(name for name in own if name not in fits)
