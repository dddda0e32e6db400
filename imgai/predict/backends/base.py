"""The interface of backends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from imgai.plugin import Model

Run = Callable[[tuple[Tensor, ...], torch.dtype], Any]
"""A network made ready: its inputs and the dtype to compute in, to what it returns."""


class Backend(ABC):
    """A way to run networks on a device.

    half: whether it computes in shorter formats than float32.
    """

    name: ClassVar[str]
    half: ClassVar[bool] = True

    @abstractmethod
    def prepare(self, model: Model, network: Callable[..., Any], device: torch.device) -> Run:
        """Make the network of a model ready to be run on a device. Called once for each loaded step."""
