"""The host's own options, declared as a plugin's are: one dataclass a group, each field made by `param`."""

from __future__ import annotations

from dataclasses import dataclass

from imgai.plugin import param


@dataclass(frozen=True, slots=True)
class Machine:
    """What the networks run on.

    device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, several joined by commas, or ``mps``.
    precision: ``auto``, ``fp32``, ``fp16`` or ``bf16``.
    batch: tiles or images in one call of a network. tile: the side of a tile in pixels. None: chosen, the model's own.
    backend: what runs the networks.
    """

    device: str = param("auto", "auto, cpu, cuda, cuda:1, several joined by commas, or mps.")
    precision: str = param("auto", "auto, fp32, fp16 or bf16.")
    batch: int | None = param(None, "Tiles or images in one call of a network.", minimum=1)
    tile: int | None = param(None, "Side of a tile in pixels.", minimum=32)
    backend: str = param("auto", "What runs the networks.", choices=("auto", "torch"))
