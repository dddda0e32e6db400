"""How a graph of ONNX is called, and the steps before and after it, which torch runs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import Model


@dataclass(frozen=True, slots=True)
class Call:
    """How a graph is called, and what its answer means.

    input, output: their names. type: of the input. channels_last, single: as in `OnnxNetwork`.
    gray: it takes one channel. mean, std: of the values after they are multiplied by `range`. bgr: blue comes first.
    size: height and width that it is given; None: any. fixed: it takes no other. letterbox: as `Model.fit` has it.
    classes: 0 for images and maps. last: what is left to do to the answer. head, strides, decoded: of boxes.
    scale, minimum, multiple_of, overlap: of pictures, as in `Model`.
    """

    input: str
    output: str
    type: str
    channels_last: bool
    single: bool
    gray: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    range: float
    bgr: bool
    size: tuple[int, int] | None
    fixed: bool
    letterbox: bool
    classes: int
    last: str
    head: str
    strides: tuple[int, ...]
    decoded: bool
    scale: int
    minimum: int
    multiple_of: int
    overlap: int


class Prepare(nn.Module):
    """Pictures in [0, 1], RGB, to what a graph takes. Shape: ``(B, 3, H, W)`` to the same, or one channel"""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(call.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(call.std).view(1, -1, 1, 1), persistent=False)
        self.range = call.range
        self.bgr = call.bgr

    def forward(self, images: Tensor) -> Tensor:
        seen = images.flip(1) if self.bgr else images
        return (seen * self.range - self.mean) / self.std


class Picture(nn.Module):
    """A graph that gives pictures. Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3, H * scale, W * scale)``"""

    def __init__(self, network: nn.Module, prepare: Prepare, call: Call) -> None:
        super().__init__()
        self.network, self.prepare, self.call = network, prepare, call

    def forward(self, images: Tensor) -> Tensor:
        call, (count, _, height, width) = self.call, images.shape
        seen = self.prepare(images)
        if call.gray:
            seen = seen.reshape(-1, 1, height, width)
        if call.fixed and call.size is not None and (height, width) != call.size:
            seen = F.pad(seen, (0, call.size[1] - width, 0, call.size[0] - height), mode="replicate")
        answer: Tensor = self.network(seen)[..., : height * call.scale, : width * call.scale]
        if call.gray:
            answer = answer.reshape(count, -1, *answer.shape[-2:])
        answer = (answer * self.prepare.std + self.prepare.mean) / call.range
        return (answer.flip(1) if call.bgr else answer).clamp(0, 1)


class Finish(nn.Module):
    """The last step of masks, scores and maps. Shape: what the graph gives to what the task's output is"""

    def __init__(self, last: str, model: Model) -> None:
        super().__init__()
        self.last = last
        self.classes = len(model.labels or ())
        self.size = model.input_size

    def forward(self, answer: Tensor) -> Tensor:
        if answer.shape[2:] == (1, 1):  # scores of networks that end in a convolution
            answer = answer.flatten(1)
        if self.last == "sigmoid":
            answer = answer.sigmoid()
        elif self.last.startswith("softmax"):
            answer = answer.softmax(1)
        if self.last.endswith("background"):
            answer = answer[:, 1:]
        if answer.ndim == 3:
            answer = answer[:, None]
        if answer.ndim == 4 and self.size is not None and tuple(answer.shape[-2:]) != self.size:
            answer = F.interpolate(answer, self.size, mode="bilinear", align_corners=False)
        return answer if self.classes == 0 else answer.clamp(0, 1)
