"""What runs a network: its tensors in, its tensors out. preprocess and postprocess stay in torch."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from imgai.errors import UsageError
from imgai.plugin import Model

Run = Callable[[tuple[Tensor, ...], torch.dtype], Any]
"""A network made ready: its inputs and the dtype to compute in, to what it returns."""


class Backend(ABC):
    """A way to run networks on a device."""

    name: ClassVar[str]

    @abstractmethod
    def prepare(self, model: Model, network: Callable[..., Any], device: torch.device) -> Run:
        """Make the network of a model ready to be run on a device. Called once for each loaded step."""


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


TORCH = TorchBackend()
BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (TORCH,)}


def choose_backend(asked: str = "auto") -> Backend:
    """The backend of that name; "auto" is torch. Raises UsageError for one that there is not."""
    if asked == "auto":
        return TORCH
    try:
        return BACKENDS[asked]
    except KeyError:
        raise UsageError(f"there is no backend {asked!r}", f"it is auto, {', '.join(BACKENDS)}") from None
