"""Test-time augmentation: the mean over orientations of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import LoadContext, Predictor

ALL = tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True))
"""The eight orientations of a picture: quarter turns, and whether it is mirrored before."""


def two_looks(
    network: Callable[[Tensor, Iterable[Callable[[Tensor], Tensor]]], Tensor],
    image: Tensor,
    body: Iterable[nn.Module],
    scale: int,
) -> Tensor:
    """The mean of what a network says of a picture, and of it upside down. Shape: that of the network

    network: of a picture and its layers. body, scale: see `_upside_down`.
    """
    return (network(image, body) + network(image, _upside_down(body, scale))) / 2


def _upside_down(body: Iterable[nn.Module], scale: int) -> list[Callable[[Tensor], Tensor]]:
    """What layers say of a picture upside down, turned back: kernels are turned in place of the picture.

    A graph of ONNX with turned pictures is refused by its runtimes, where the size may be any.

    body: convolutions, and layers that treat every pixel alike. scale: of the pixel shuffle that follows the last.
    """
    layers = [partial(_turned, layer) if isinstance(layer, nn.Conv2d) else layer for layer in body]
    last = layers.pop()
    return [*layers, partial(last, scale=scale)]


def _turned(layer: nn.Conv2d, x: Tensor, scale: int = 1) -> Tensor:
    """A convolution with its kernel turned, and the cells of a pixel shuffle after it. Shape: that of the layer"""
    assert layer.bias is not None
    weight, bias = layer.weight.flip(2, 3), layer.bias
    if scale > 1:
        weight = weight.unflatten(0, (-1, scale, scale)).flip(1, 2).flatten(0, 2)
        bias = bias.unflatten(0, (-1, scale, scale)).flip(1, 2).flatten()
    return F.conv2d(x, weight, bias, padding=1)


class Turned(nn.Module):
    """The mean of a network's answers for all eight orientations of a picture, transformed back.

    Geometric self-ensemble (Timofte, Rothe, Van Gool 2016, arXiv:1511.02228). Shape: that of the network
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        total: Tensor | None = None
        for turns, mirrored in ALL:
            seen = torch.rot90(image.flip(3) if mirrored else image, turns, (2, 3)).contiguous()
            answer = torch.rot90(self.network(seen), -turns, (2, 3))
            answer = answer.flip(3) if mirrored else answer
            total = answer if total is None else total + answer
        assert total is not None
        return total / len(ALL)


def predictor(context: LoadContext, load_weights: Callable[[Path, int], nn.Module]) -> Predictor:
    """The network that `load_weights` makes of a file and a scale, turned if the params ask for it.

    Raises ValueError if the context names no weights, and what `load_weights` raises.
    """
    if context.weights is None:
        raise ValueError(f"the model {context.model.name} needs its weights")
    network = load_weights(context.weights, context.model.scale)
    if getattr(context.params, "tta", False):
        network = Turned(network)
    return Predictor(network=network.to(context.device))
