"""Models in ncnn's format, of the two kinds of plain convolutional networks that enlarge pictures.

A ``.param`` file lists the layers, one a line: type, name, numbers of inputs and outputs, their names, and options as
``number=value``. The ``.bin`` file beside it holds their numbers in the same order. Those of a convolution begin with
a tag of 32 bits that says how they are stored; biases and slopes have no tag. Each block is padded to four bytes.
Format: https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imgai.errors import PluginError
from imgai.predict.foreign.state import State, checked

_SINGLE, _HALF = 0, 0x01306B47
_LONGEST_TEXT = 16 << 20  # bytes of a .param file


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer. options: by number; an array of them by its number, -23300 less than which the file gives."""

    kind: str
    inputs: int
    options: dict[int, str]
    weight: Tensor | None = None
    bias: Tensor | None = None


class _Numbers:
    """The ``.bin`` file, read from front to end."""

    def __init__(self, content: bytes, path: Path) -> None:
        self._content = content
        self._path = path
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def take(self, count: int, kind: str = "<f4") -> Tensor:
        """The next `count` numbers as float32; the file goes on at a multiple of four bytes."""
        size = count * np.dtype(kind).itemsize
        if count < 1 or size > self.left:
            raise PluginError(f"{self._path} is damaged: it has {len(self._content)} bytes, fewer than its layers take")
        numbers = np.frombuffer(self._content, kind, count, self._at)
        self._at = min(len(self._content), self._at + -(-size // 4) * 4)
        return torch.from_numpy(numbers.astype(np.float32))

    def tagged(self, count: int) -> Tensor:
        """The next `count` numbers, in the precision that the tag before them names."""
        tag = int.from_bytes(self._content[self._at : self._at + 4], "little")
        self._at = min(len(self._content), self._at + 4)
        if tag not in (_SINGLE, _HALF):
            raise PluginError(f"{self._path} holds weights with the tag {tag:#x}", "fp32 and fp16 are read")
        return self.take(count, "<f2" if tag == _HALF else "<f4")


def read_ncnn(path: Path) -> tuple[State, float]:
    """The state dict of a ``.param`` and its ``.bin``, with the names of the network's own checkpoints.

    Returns it with the factor that the graph shrinks its answer by at the end, 1 for most.
    Raises PluginError, in one line, for a network of another kind and for damaged files.
    """
    layers = _layers(path)
    kinds = Counter(layer.kind for layer in layers)
    if "PReLU" in kinds:
        state, factor = _compact(layers), _shrunk(layers)
    elif "Concat" in kinds and not set(kinds) - _RRDB:
        state, factor = _rrdb(layers), 1.0
    else:
        state, factor = {}, 1.0
    if not state:
        words = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4))
        raise PluginError(
            f"{path} is a graph of {words}, which is neither RRDBNet nor SRVGGNetCompact",
            "of ncnn, networks of these two kinds are read; others as .onnx or .safetensors",
        )
    return checked(state, path), factor


_RRDB = {"Input", "Convolution", "Split", "Concat", "Eltwise", "BinaryOp", "Interp"}
_COMPACT = {"Input", "Split", "Convolution", "PReLU", "PixelShuffle", "Interp", "BinaryOp"}


def _layers(path: Path) -> list[Layer]:
    """The layers in order, those of convolutions and slopes with their numbers."""
    beside = path.with_suffix(".bin")
    if path.stat().st_size > _LONGEST_TEXT:
        raise PluginError(f"{path} is too long for a graph of ncnn")
    numbers = _Numbers(beside.read_bytes(), beside)
    layers = []
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for words in lines[2:]:
            layers.append(_layer(words, numbers))
        told = int(lines[1][0])
    except (ValueError, KeyError, IndexError, RuntimeError, OverflowError):
        raise PluginError(f"{path} is damaged: its layer {len(layers) + 1} cannot be read") from None
    if len(layers) != told:
        raise PluginError(f"{path} is damaged: it has {len(layers)} layers, and says otherwise")
    if numbers.left:
        raise PluginError(f"{path} has layers that are not read: {numbers.left} bytes of {beside.name} are left over")
    return layers


def _layer(words: list[str], numbers: _Numbers) -> Layer:
    kind, _, inputs, outputs, *rest = words
    pairs = (word.split("=", 1) for word in rest[int(inputs) + int(outputs) :])
    options = {int(number): value for number, value in pairs}
    if kind == "Convolution":
        channels, side = int(options[0]), int(options[1])
        weight = numbers.tagged(int(options[6])).view(channels, -1, side, side)
        bias = numbers.take(channels) if int(options.get(5, "0")) else None
        return Layer(kind, int(inputs), options, weight, bias)
    if kind == "PReLU":
        return Layer(kind, int(inputs), options, numbers.take(int(options[0])))
    return Layer(kind, int(inputs), options)


def _compact(layers: list[Layer]) -> State:
    """SRVGGNetCompact: convolutions with a PReLU between each two; empty if it is none."""
    weighted = [layer for layer in layers if layer.weight is not None]
    kinds = [layer.kind for layer in weighted]
    if {layer.kind for layer in layers} - _COMPACT or kinds != ["Convolution", "PReLU"] * (len(kinds) // 2) + kinds[
        -1:
    ]:
        return {}
    if kinds[-1] != "Convolution" or sum(layer.kind == "PixelShuffle" for layer in layers) != 1:
        return {}
    return _named(weighted, [f"body.{index}" for index in range(len(weighted))])


def _shrunk(layers: list[Layer]) -> float:
    """Return the factor by which the last layer resizes the output."""
    last = layers[-1]
    return float(last.options.get(1, "1")) if last.kind == "Interp" else 1.0


def _rrdb(layers: list[Layer]) -> State:
    """RRDBNet: blocks of three dense blocks of five convolutions; empty if it is none."""
    weighted = [layer for layer in layers if layer.weight is not None]
    ups = sum(layer.kind == "Interp" for layer in layers)
    blocks, rest = divmod(len(weighted) - 4 - ups, 15)
    if rest or blocks < 1 or ups != 2 or sum(layer.kind == "Concat" for layer in layers) != 12 * blocks:
        return {}
    dense = [f"body.{block}.rdb{part}.conv{n}" for block in range(blocks) for part in (1, 2, 3) for n in range(1, 6)]
    return _named(weighted, ["conv_first", *dense, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"])


def _named(layers: list[Layer], names: list[str]) -> State:
    state: State = {}
    for layer, name in zip(layers, names, strict=True):
        assert layer.weight is not None
        state[f"{name}.weight"] = layer.weight
        if layer.bias is not None:
            state[f"{name}.bias"] = layer.bias
    return state
