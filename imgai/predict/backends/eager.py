"""torch, eager and compiled."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from imgai.errors import UsageError
from imgai.plugin import Model
from imgai.predict.backends.base import Backend, Run


class TorchBackend(Backend):
    """The network as it was loaded, in evaluation mode and in the memory layout that convolutions are fastest in."""

    name = "torch"

    def prepare(self, model: Model, network: Callable[..., Any], device: torch.device) -> Run:
        if isinstance(network, nn.Module):
            network.eval().requires_grad_(False)
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        def run(inputs: tuple[Tensor, ...], precision: torch.dtype) -> Any:
            half = precision is not torch.float32
            with torch.autocast(device.type, precision) if half else contextlib.nullcontext():
                return network(*inputs)

        return run


class CompileBackend(TorchBackend):
    """The network through `torch.compile`, which takes up to half a minute at first and needs a C++ compiler."""

    name = "compile"

    def __init__(self, *, strict: bool = True) -> None:
        if not any(map(shutil.which, ("g++", "clang++", "cl"))):
            raise UsageError("--backend compile needs a C++ compiler", "install g++ or clang++, or use another backend")

    def prepare(self, model: Model, network: Callable[..., Any], device: torch.device) -> Run:
        if isinstance(network, nn.Module):
            # Tiles have one size but for those of small pictures: one program for each size, not a slower one for all.
            network.compile(dynamic=False)
        return super().prepare(model, network, device)


TORCH = TorchBackend()
