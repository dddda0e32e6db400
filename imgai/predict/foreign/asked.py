"""Apply the params of tasks (`strength`, `tta`) to third-party networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from imgai.errors import UsageError
from imgai.params import option_name
from imgai.plugin import LoadContext, identity


class Turned(nn.Module):
    """The mean of a network's answers to a picture in its eight orientations, each turned back.

    Geometric self-ensemble (Timofte, Rothe, Van Gool 2016, arXiv:1511.02228). Shape: that of the network
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        total: Tensor | None = None  # not all eight at once: they are large
        for turns, axes in product(range(4), ((), (3,))):
            seen = torch.rot90(image.flip(axes), turns, (2, 3)).contiguous()
            answer = torch.rot90(self.network(seen), -turns, (2, 3)).flip(axes)
            total = answer if total is None else total + answer
        assert total is not None
        return total / 8


class Shared(nn.Module):
    """A part of what a network changes. Shape: ``(B, 3, H, W)`` to the same

    strength: which part, 0 to 1.
    """

    def __init__(self, network: nn.Module, strength: float) -> None:
        super().__init__()
        self.network = network
        self.strength = strength

    def forward(self, image: Tensor) -> Tensor:
        return torch.lerp(image, self.network(image).to(image.dtype), self.strength)


def with_params(network: nn.Module, context: LoadContext) -> Callable[..., Any]:
    """The network as the task's params ask for it: ``strength`` and ``tta`` mean what they mean for any model.

    Raises UsageError for a param that models of other people cannot follow.
    """
    for field in dataclasses.fields(context.params):
        value = getattr(context.params, field.name)
        if value == field.default:
            continue
        if field.name == "strength":
            if value == 0:
                return identity
            network = Shared(network, value)
        elif field.name == "tta":
            network = Turned(network)
        else:
            name = option_name(field.name)
            raise UsageError(f"{name} is an option of imgai's own models, not of {context.model.name}", "leave it out")
    return network
