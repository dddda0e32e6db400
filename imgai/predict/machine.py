"""Placement of steps: device, precision, batch, tile and backend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from imgai.errors import UsageError
from imgai.options import Machine
from imgai.plugin import Model
from imgai.predict.backends import TORCH, Backend, choose_backend
from imgai.predict.device import choose_precision


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how a loaded step runs.

    precision: the dtype that the network computes in.
    batch: the most work items in one call of the network; None: by the kind of device.
    tile: the side of a tile in pixels; None: as the model declares.
    """

    device: torch.device
    precision: torch.dtype = torch.float32
    batch: int | None = None
    tile: int | None = None
    backend: Backend = TORCH


CPU = Placement(torch.device("cpu"))
"""The CPU in fp32, with everything else as the model declares."""


def place(machine: Machine, device: torch.device, models: Iterable[Model]) -> Placement:
    """Choose the placement of a step of these models on one of the machine's devices.

    Raises DeviceError for a precision that the device does not support, UsageError for an unknown backend.
    """
    models = tuple(models)
    bfloat16 = all(model.bfloat16 for model in models)
    precision = choose_precision(machine.precision, device, bfloat16=bfloat16)
    backend = choose_backend(machine.backend, models, device.type)
    if not backend.half and precision is not torch.float32:
        if machine.backend == "auto":
            backend = TORCH  # what computes in a shorter format is faster still
        elif machine.precision == "auto":
            precision = torch.float32
        else:
            raise UsageError(
                f"--backend {backend.name} computes in fp32, not {machine.precision}", "leave out one of them"
            )
    return Placement(device, precision, machine.batch, machine.tile, backend)
