"""The teacher: Real-ESRGAN x4plus, of which nothing is shipped.

Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", 2021,
arXiv:2107.10833; the network is the RRDBNet of Wang et al., "ESRGAN", 2018, arXiv:1809.00219. Weights: BSD-3-Clause,
https://github.com/xinntao/Real-ESRGAN
"""

from __future__ import annotations

from pathlib import Path

import ncnn
import torch
from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS, WIDTH, GROWTH = 23, 64, 32
SCALE = 4


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3, and the size is kept."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Dense(nn.Module):
    """Five convolutions, each of which sees the answers of those before it. Shape: kept."""

    def __init__(self) -> None:
        super().__init__()
        for number in range(1, 6):
            outputs = WIDTH if number == 5 else GROWTH
            self.add_module(f"conv{number}", convolution(WIDTH + (number - 1) * GROWTH, outputs))

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for number in range(1, 5):
            seen = torch.cat((seen, F.leaky_relu(self.get_submodule(f"conv{number}")(seen), 0.2)), 1)
        return x + 0.2 * self.get_submodule("conv5")(seen)


class Block(nn.Module):
    """Three dense blocks with a way around them. Shape: kept."""

    def __init__(self) -> None:
        super().__init__()
        for number in (1, 2, 3):
            self.add_module(f"rdb{number}", Dense())

    def forward(self, x: Tensor) -> Tensor:
        answer = x
        for number in (1, 2, 3):
            answer = self.get_submodule(f"rdb{number}")(answer)
        return x + 0.2 * answer


class Teacher(nn.Module):
    """Shape: ``(B, 3, H, W)`` in [0, 1] to ``(B, 3, 4 H, 4 W)``, around [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_first = convolution(3, WIDTH)
        self.body = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.conv_body = convolution(WIDTH, WIDTH)
        self.conv_up1 = convolution(WIDTH, WIDTH)
        self.conv_up2 = convolution(WIDTH, WIDTH)
        self.conv_hr = convolution(WIDTH, WIDTH)
        self.conv_last = convolution(WIDTH, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv_first(image)
        x = x + self.conv_body(self.body(x))
        for layer in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(layer(F.interpolate(x, scale_factor=2)), 0.2)
        answer: Tensor = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))
        return answer


def load(wheel: Path) -> Teacher:
    """The teacher out of the wheel, ready to answer."""
    dense = [f"body.{block}.rdb{part}.conv{n}" for block in range(BLOCKS) for part in (1, 2, 3) for n in range(1, 6)]
    names = ["conv_first", *dense, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    teacher = Teacher()
    teacher.load_state_dict(ncnn.named(ncnn.read(wheel, "realesrgan-x4plus"), names))
    return teacher.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@torch.inference_mode()
def answer(teacher: Teacher, images: Tensor) -> Tensor:
    """What the teacher makes of pictures, in [0, 1], in bfloat16 where the CPU has it."""
    with torch.autocast("cpu", torch.bfloat16):
        found: Tensor = teacher(images.contiguous(memory_format=torch.channels_last))
    return found.float().clamp(0, 1)
