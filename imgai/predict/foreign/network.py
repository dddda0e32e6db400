"""Adapt a network built by spandrel to the interface of the host."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_HEAVY = 2_000_000
"""Parameters from which on a CPU gains nothing from several tiles at once, and only needs the memory."""


class Foreign(nn.Module):
    """A network that spandrel built. Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3, H * scale, W * scale)``

    A network of one channel is given the three of a picture one by one.

    shrink: by what its answer is resized (bicubic).
    """

    def __init__(self, descriptor: Any, shrink: float = 1.0) -> None:
        super().__init__()
        self.network: nn.Module = descriptor.model
        self.scale: int = descriptor.scale
        self.shrink = shrink
        self.square: bool = descriptor.size_requirements.square
        self.channels: int = descriptor.input_channels
        self._run = getattr(descriptor, "_call_fn", None)
        half = ((torch.float16, descriptor.supports_half), (torch.bfloat16, descriptor.supports_bfloat16))
        self._unsupported = {dtype for dtype, supported in half if not supported}
        self._heavy = sum(value.numel() for value in self.network.parameters()) > _HEAVY

    def forward(self, image: Tensor) -> Tensor:
        if self._heavy and len(image) > 1 and image.device.type == "cpu":
            return torch.cat([self(each[None]) for each in image])
        count, _, height, width = image.shape
        seen = image.reshape(-1, self.channels, height, width) if self.channels == 1 else image
        if self.square and height != width:
            side = max(height, width)
            seen = F.pad(seen, (0, side - width, 0, side - height), mode="replicate")
        with self._precise(image.device.type):
            answer: Tensor = self.network(seen) if self._run is None else self._run(self.network, seen)
        answer = answer[..., : height * self.scale, : width * self.scale]
        if self.channels == 1:
            answer = answer.reshape(count, -1, *answer.shape[-2:])
        if self.shrink != 1:
            answer = F.interpolate(answer, scale_factor=self.shrink, mode="bicubic", align_corners=False)
        return answer if self.training else answer.clamp(0, 1)  # what lies outside learns to come back

    def _precise(self, device: str) -> contextlib.AbstractContextManager[Any]:
        """In fp32 where the network does not bear the shorter format that was asked for."""
        asked = torch.is_autocast_enabled(device)
        if self._unsupported and asked and torch.get_autocast_dtype(device) in self._unsupported:
            return torch.autocast(device, enabled=False)
        return contextlib.nullcontext()
