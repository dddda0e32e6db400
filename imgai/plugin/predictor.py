"""Loaded models: what a model's load function is given and returns."""

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
    raise UsageError(f"the model {name} cannot be loaded by this one", f"declare uses=({name!r},)")


def _no_reader(path: Path) -> Tensor:
    raise UsageError(f"{path} cannot be read", "the host loads models with a reader")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadContext:
    """The argument of a model's load function, which may raise `UsageError` for params that are not possible.

    device: where the predictor will run; load parameters straight to it.
    weights: the verified weights file on disk; None where the model declares none.
    params: the task's params with the values asked for.
    model_params: the model's own params; `NoParams()` where it has none.
    read_image: the host's reader, for a picture that is a param: the path of a file to ``(1, 3, H, W)`` float32 in
        [0, 1], its first page, upright and in sRGB. Raises `UsageError`, with the reason, for what an input would be
        refused for: no picture, damaged, more than ``--max-pixels``.
    load: a model of `Model.uses` by its name there, with the default params, on the same device. What it takes and
        gives is what its own plugin promises: call its preprocess, network and postprocess, and declare a multiple_of
        and a minimum that suit all. Raises `UsageError` for a model that is not among `Model.uses`.
    """

    model: Model
    device: torch.device
    weights: Path | None
    params: Any = NoParams()
    model_params: Any = NoParams()
    read_image: Callable[[Path], Tensor] = _no_reader
    load: Callable[[str], Predictor] = _no_model


def identity(value: Any) -> Any:
    """Return the argument: the preprocess or postprocess of a model that needs none.

    As the network of an IMAGE model it means that these params change nothing (a strength of 0, for example): the
    host then keeps the picture bit for bit.
    """
    return value


@dataclass(frozen=True, slots=True)
class Predictor:
    """A loaded model. The host calls ``postprocess(network(preprocess(image)))``, batched.

    preprocess: a kornia chain (any callable); ``(B, 3, h, w)`` float32 in [0, 1] on the device to what
        the network takes. h and w are the model's `input_size`, or a tile's.
    network: the learned part alone, so that the host can autocast, fuse, compile or export it.
    postprocess: the network's output (a tensor, or a tuple or dict of them), as float32, to what `Output` promises, at
        the same h and w (times scale for IMAGE).
    survey: features of the whole image, computed before its tiles: from the image resized to the model's `overview`,
        ``(1, 3, h, w)`` float32 in [0, 1], to ``(N,)`` numbers. The network then takes three arguments:
        ``network(prepared, notes, place)`` with notes ``(B, N)``, the survey of each image, and place ``(B, 4)``, the
        position of the tile: top, left, height and width as fractions of the image's sides.
    sees_whole: the network needs no survey of an image that is one tile: its notes are then ``(B, 0)``.
    detail: for models that declare `longest`: the share, from 0 to 1, of the fine detail lost by shrinking the image
        that is added back to the result.
    instances: for MASK models, ``(K + auxiliary, H, W)`` float32 NumPy array in [0, 1] and a threshold
        to numbered objects ``(H, W)`` int32, 0 the background. None: connected components. A sample carries it,
        so it can be pickled: a module's function, or a `functools.partial` of one.
    explain: for SCORES models, and MASK models with an `input_size`, preprocessed images ``(B, C, h, w)`` and the
        index of a label to where they speak for it, ``(B, y, x)`` from 0 on, at any size. None: the model cannot say.
    model: the declaration, where parts of it (labels, input_size, crop) are known only when the model is loaded.
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
