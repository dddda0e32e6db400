"""Loaded models: the argument and the result of a model's load function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imgai.errors import UsageError
from imgai.plugin import Model, NoParams

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from torch import Tensor


def _no_model(name: str) -> Predictor:
    raise UsageError(f"this model cannot load the model {name}", f"declare uses=({name!r},)")


def _no_reader(path: Path) -> Tensor:
    raise UsageError(f"{path} cannot be read: this LoadContext has no reader", "let the host load the model")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadContext:
    """The argument of a model's load function, which may raise `UsageError` for impossible params.

    model: the declaration of the model.
    device: the device that the predictor will run on; load parameters directly to it.
    weights: the verified weights file on disk; None if the model declares none.
    params: the task's params, with the requested values.
    model_params: the model's own params; `NoParams()` if it has none.
    read_image: the host's reader, for params that name a picture: from a path to the first page of the file,
        ``(1, 3, H, W)`` float32 in [0, 1], upright and in sRGB. Raises `UsageError` with the reason if the file is not
        a picture, is damaged, or has more pixels than ``--max-pixels``.
    load: loads a model of `Model.uses`, by its name there, with default params, on the same device. Call its
        preprocess, network and postprocess, and declare a multiple_of and a minimum that suit all models. Raises
        `UsageError` for a model that is not in `Model.uses`.
    """

    model: Model
    device: torch.device
    weights: Path | None
    params: Any = NoParams()
    model_params: Any = NoParams()
    read_image: Callable[[Path], Tensor] = _no_reader
    load: Callable[[str], Predictor] = _no_model


def identity(value: Any) -> Any:
    """Return the argument. Use it as the preprocess or postprocess of a model that needs none.

    As the network of an IMAGE model it means that the params leave pictures unchanged (a strength of 0, for example):
    the host then keeps the picture bit for bit.
    """
    return value


@dataclass(frozen=True, slots=True)
class Predictor:
    """A loaded model. The host calls ``postprocess(network(preprocess(image)))`` on batches.

    preprocess: a kornia chain, or any callable: from ``(B, 3, h, w)`` float32 in [0, 1] on the device to the input of
        the network. h and w are the model's `input_size` or the size of a tile.
    network: the learned part only, so that the host can autocast, fuse, compile or export it.
    postprocess: from the network's output (a tensor, or a tuple or dict of tensors), as float32, to the result that
        `Output` describes, at the same h and w (times scale for IMAGE).
    survey: computes features of the whole image before its tiles: from the image resized to the model's `overview`,
        ``(1, 3, h, w)`` float32 in [0, 1], to ``(N,)`` numbers. The network then takes three arguments:
        ``network(prepared, notes, place)`` with notes ``(B, N)``, the survey of each image, and place ``(B, 4)``, the
        position of the tile: top, left, height and width as fractions of the image's sides.
    sees_whole: the network needs no survey of an image that is a single tile: notes are then ``(B, 0)``.
    detail: for models that declare `longest`: the fraction, from 0 to 1, of the fine detail lost by downscaling that is
        added back to the result.
    instances: for MASK models, a function from a ``(K + auxiliary, H, W)`` float32 NumPy array in [0, 1] and a
        threshold to object numbers ``(H, W)`` int32, 0 for the background. None: connected components. Samples carry
        it, so it must be picklable: a function of a module, or a `functools.partial` of one.
    explain: for SCORES models, and MASK models with an `input_size`: a function from preprocessed images
        ``(B, C, h, w)`` and the index of a label to a saliency map ``(B, y, x)`` of values >= 0 at any size. None: the
        model has no such map.
    model: the declaration, if parts of it (labels, input_size, crop) are known only after loading.
    """

    network: Callable[..., Any]
    preprocess: Callable[[Tensor], Tensor] = identity
    postprocess: Callable[[Any], Any] = identity
    survey: Callable[[Tensor], Tensor] | None = None
    sees_whole: bool = False
    detail: float = 0.0
    instances: Callable[[np.ndarray, float], np.ndarray] | None = None
    explain: Callable[[Tensor, int], Tensor] | None = None
    model: Model | None = None
