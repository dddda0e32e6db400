"""The `nanodet` model: people, animals, vehicles and things of 80 kinds, each in a box."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from typing import cast

import kornia
import torch
from safetensors.torch import load_file
from torch import nn

from imgai.plugin import LoadContext, Predictor, UsageError
from imgai_detect.boxes import boxes_of
from imgai_detect.network import NanoDet
from imgai_detect.tiled import tiled

MEAN = (103.53, 116.28, 123.675)
DEVIATION = (57.375, 57.12, 58.395)
"""Of blue, green and red in 0 to 255, as the network was trained."""


def preprocess() -> nn.Sequential:
    """The chain before the network.

    Shape: ``(B, 3, h, w)`` RGB in [0, 1] -> ``(B, 3, h, w)`` BGR, of mean 0 and deviation 1 over ImageNet's pictures
    """
    mean, deviation = torch.tensor(MEAN) / 255, torch.tensor(DEVIATION) / 255
    return nn.Sequential(kornia.color.RgbToBgr(), kornia.enhance.Normalize(mean=mean, std=deviation))


def numbers_of(classes: Sequence[str], labels: Sequence[str], model: str) -> tuple[int, ...] | None:
    """Which numbers the classes of these names have; None for all of them, where no name is given.

    Raises:
        UsageError: the model has no class of that name.
    """
    known = {label.casefold(): number for number, label in enumerate(labels)}
    numbers = set()
    for name in classes:
        wanted = " ".join(name.split()).casefold()
        if wanted not in known:
            close = get_close_matches(wanted, known, n=1)
            advice = f"did you mean {labels[known[close[0]]]!r}?" if close else f"it has {', '.join(labels)}"
            raise UsageError(f"the model {model} has no class {name!r}", advice)
        numbers.add(known[wanted])
    return tuple(sorted(numbers)) or None


def load(context: LoadContext) -> Predictor:
    """Load the model.

    Shape: ``(B, 3, h, w)`` in [0, 1], h and w multiples of 32 -> ``(B, 300, 6)``: x0, y0, x1, y1 as fractions of w and
    h, score, number of the class; a score of 0 pads.

    Raises:
        ValueError: the context names no weights.
        RuntimeError: the weights are those of another network.
        UsageError: a class that is asked for is none of the model's.
    """
    if context.weights is None:
        raise ValueError("the nanodet model needs its weights")
    labels = context.model.labels or ()
    only = numbers_of(context.params.classes, labels, context.model.name)
    network = NanoDet(len(labels))
    state = load_file(context.weights, device=str(context.device))
    network.load_state_dict({name: value.float() for name, value in state.items()})
    predictor = Predictor(
        network=network.to(context.device).eval(),
        preprocess=cast("nn.Module", preprocess().to(context.device)),
        postprocess=partial(boxes_of, only=only),
    )
    return tiled(context.model, predictor, only) if context.params.tiled else predictor
