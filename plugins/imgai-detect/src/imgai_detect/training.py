"""Fine-tuning by ``imgai train detect``: the shipped network with user-defined classes."""

from __future__ import annotations

import math

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from imgai.plugin import Predictor, Trainable, TrainContext, take_over
from imgai_detect.boxes import boxes_of
from imgai_detect.labels import LABELS
from imgai_detect.learning import loss_of
from imgai_detect.nanodet import preprocess
from imgai_detect.network import BINS, Head, NanoDet

RARE = 0.01
"""The prior probability of a new class in a cell (Lin et al. 2017, arXiv:1708.02002)."""


def train(context: TrainContext) -> Trainable:
    """Go on from the shipped weights, or from those of a model that was trained."""
    assert context.weights is not None
    labels = context.model.labels or ()
    network = NanoDet(len(labels))
    tensors = {name: value.float() for name, value in load_file(context.weights).items()}
    new = any(name.endswith("say.weight") for name in take_over(network, tensors))
    if new:
        for number, head in enumerate(network.heads):
            assert isinstance(head, Head)
            adopt(head.say, tensors[f"heads.{number}.say.weight"], tensors[f"heads.{number}.say.bias"], labels)
    return Trainable(
        predictor=Predictor(
            network=network.to(context.device), preprocess=preprocess().to(context.device), postprocess=boxes_of
        ),
        loss=loss_of,
        is_head=lambda name: ".say." in name,
        rate=1e-3 if new else 1e-4,
    )


def adopt(say: nn.Conv2d, weight: Tensor, bias: Tensor, labels: tuple[str, ...]) -> None:
    """Copy the box regression of a head, and the classes with the same names; other classes are initialized."""
    known = {label: index for index, label in enumerate(LABELS)} if len(weight) == len(LABELS) + 4 * BINS else {}
    assert say.bias is not None
    with torch.no_grad():
        nn.init.normal_(say.weight, std=0.01)
        nn.init.constant_(say.bias, math.log(RARE / (1 - RARE)))
        say.weight[-4 * BINS :], say.bias[-4 * BINS :] = weight[-4 * BINS :], bias[-4 * BINS :]
        for index, label in enumerate(labels):
            if label.casefold() in known:
                old = known[label.casefold()]
                say.weight[index], say.bias[index] = weight[old], bias[old]
