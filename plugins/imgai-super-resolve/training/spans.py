"""SPAN as it is trained: every 3x3 convolution is the product of a chain, and three scales share one body."""

from __future__ import annotations

from pathlib import Path

import torch
from imgai_super_resolve.span import BLOCKS, Span
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

GAIN = 2
"""How much wider the chain is than the convolution that it amounts to."""


class Chained(nn.Module):
    """A 3x3 convolution given by a chain of 1x1, 3x3 and 1x1 convolutions and a 1x1 beside it.

    The chain is multiplied out at every step and the product is run: training costs what the product costs, and
    learns as the longer chain does (Ding et al., "RepVGG", CVPR 2021, say why that helps).

    Shape: ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.sk = nn.Conv2d(inputs, outputs, 1)
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, inputs * GAIN, 1),
            nn.Conv2d(inputs * GAIN, outputs * GAIN, 3),
            nn.Conv2d(outputs * GAIN, outputs, 1),
        )
        for layer in self.conv:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.bias)
        nn.init.kaiming_normal_(self.sk.weight, nonlinearity="linear")
        nn.init.zeros_(self.sk.bias)
        with torch.no_grad():
            self.conv[1].weight.mul_(0.7)
            self.sk.weight.mul_(0.5)

    def product(self) -> tuple[Tensor, Tensor]:
        """Kernel ``(outputs, inputs, 3, 3)`` and bias ``(outputs,)`` of the one convolution."""
        first, second, third = self.conv
        one, three = first.weight[:, :, 0, 0], third.weight[:, :, 0, 0]
        weight = torch.einsum("om,mnhw->onhw", three, torch.einsum("mkhw,kn->mnhw", second.weight, one))
        bias = three @ (torch.einsum("mkhw,k->m", second.weight, first.bias) + second.bias) + third.bias
        return weight + F.pad(self.sk.weight, (1, 1, 1, 1)), bias + self.sk.bias

    @torch.no_grad()
    def become(self, weight: Tensor, bias: Tensor) -> None:
        """Take the kernel of one convolution: between two turns that undo each other, nothing beside it."""
        first, second, third = self.conv
        one = nn.init.orthogonal_(first.weight[:, :, 0, 0].clone())  # orthonormal columns
        three = nn.init.orthogonal_(third.weight[:, :, 0, 0].clone())  # orthonormal rows
        first.weight.copy_(one[:, :, None, None])
        second.weight.copy_(torch.einsum("om,onhw,kn->mkhw", three, weight, one))
        third.weight.copy_(three[:, :, None, None])
        for zero in (first.bias, second.bias, self.sk.weight, self.sk.bias):
            zero.zero_()
        third.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            weight, bias = self.product()
        return F.conv2d(x, weight, bias, padding=1)


class Block(nn.Module):
    """As `imgai_super_resolve.span.Block`, of chains."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = (Chained(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = F.silu(self.c1_r(x))
        last = self.c3_r(F.silu(self.c2_r(first)))
        return (last + x) * (torch.sigmoid(last) - 0.5), first


class Spans(nn.Module):
    """One body and a way up for each scale. It begins as the picture with each pixel repeated.

    Shape: ``(B, 3, H, W)`` in [0, 1] and a scale to ``(B, 3, H * scale, W * scale)``.
    """

    def __init__(self, scales: tuple[int, ...] = (2, 3, 4), width: int = 48) -> None:
        super().__init__()
        self.conv_1 = Chained(3, width)
        for number in range(1, BLOCKS + 1):
            self.add_module(f"block_{number}", Block(width))
        self.conv_cat = nn.Conv2d(width * 4, width, 1)
        self.conv_2 = Chained(width, width)
        self.upsampler = nn.ModuleDict({str(k): nn.Sequential(nn.Conv2d(width, 3 * k * k, 3, 1, 1)) for k in scales})
        with torch.no_grad():
            self._begin_with_repetition()

    def _begin_with_repetition(self) -> None:
        self.conv_1.conv[2].weight.mul_(4.0)
        self.conv_1.sk.weight.mul_(2.0)
        self.conv_1.conv[2].weight[:3] = 0
        self.conv_1.sk.weight[:3] = torch.eye(3).view(3, 3, 1, 1)
        nn.init.kaiming_normal_(self.conv_cat.weight, nonlinearity="linear").mul_(0.5)
        nn.init.zeros_(self.conv_cat.bias)
        self.conv_cat.weight[:3] = 0
        for color in range(3):
            self.conv_cat.weight[color, color] = 1
        for scale, (last,) in self.upsampler.items():
            area = int(scale) ** 2
            nn.init.kaiming_normal_(last.weight, nonlinearity="linear").mul_(0.05)
            nn.init.zeros_(last.bias)
            last.weight[:, :3] = 0
            for color in range(3):
                last.weight[color * area : (color + 1) * area, color, 1, 1] = 1

    def forward(self, image: Tensor, scale: int) -> Tensor:
        begin = x = self.conv_1(image)
        answers = []
        for number in range(1, BLOCKS + 1):
            x, first = self.get_submodule(f"block_{number}")(x)
            answers.append(x)
        kept = torch.cat((begin, self.conv_2(x), answers[0], first), dim=1)
        kept = self.conv_cat(kept).float()
        with torch.autocast(image.device.type, enabled=False):  # the answer itself is not rounded
            return F.pixel_shuffle(self.upsampler[str(scale)](kept), scale)


def merged(network: Spans, scale: int) -> Span:
    """The network of one scale as it is shipped, with every chain multiplied out."""
    plain = Span(scale, width=network.conv_cat.weight.shape[0])
    state: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, Chained):
                state[f"{name}.weight"], state[f"{name}.bias"] = module.product()
    state |= {f"conv_cat.{name}": value for name, value in network.conv_cat.state_dict().items()}
    state |= {f"upsampler.0.{name}": value for name, value in network.upsampler[str(scale)][0].state_dict().items()}
    plain.load_state_dict(state)
    return plain.eval()


def unmerged(plain: Span, scale: int) -> Spans:
    """A network of one scale to train on with, which answers as the one that is shipped."""
    network = Spans((scale,), width=plain.conv_cat.weight.shape[0])
    source = dict(plain.named_modules())
    for name, module in network.named_modules():
        if isinstance(module, Chained):
            kernel = source[name]
            assert isinstance(kernel, nn.Conv2d)
            assert kernel.bias is not None
            module.become(kernel.weight, kernel.bias)
    network.conv_cat.load_state_dict(plain.conv_cat.state_dict())
    network.upsampler[str(scale)][0].load_state_dict(plain.upsampler[0].state_dict())
    return network


def save_weights(network: Span, file: Path) -> None:
    """Write the weights in half precision under the names that SPAN's files have elsewhere.

    Loaders that merge chains themselves get, in place of the chain that was trained, the shortest that amounts to the
    very same convolution: two identities around the kernel, and nothing beside it.
    """
    state: dict[str, Tensor] = {"no_norm": torch.zeros(1)}
    for name, module in network.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        weight, bias = module.weight.detach(), module.bias.detach() if module.bias is not None else None
        assert bias is not None
        if name in ("conv_cat", "upsampler.0"):
            state |= {f"{name}.weight": weight, f"{name}.bias": bias}
            continue
        outputs, inputs = weight.shape[:2]
        state |= {f"{name}.eval_conv.weight": weight, f"{name}.eval_conv.bias": bias}
        state |= {f"{name}.sk.weight": torch.zeros(outputs, inputs, 1, 1), f"{name}.sk.bias": torch.zeros(outputs)}
        middle = torch.zeros(outputs * GAIN, inputs * GAIN, 3, 3)
        middle[:outputs, :inputs] = weight
        kernels = (torch.eye(inputs * GAIN, inputs), middle, torch.eye(outputs, outputs * GAIN))
        biases = (torch.zeros(inputs * GAIN), F.pad(bias, (0, outputs)), torch.zeros(outputs))
        for place, (kernel, offset) in enumerate(zip(kernels, biases, strict=True)):
            state[f"{name}.conv.{place}.weight"] = kernel if kernel.ndim == 4 else kernel[:, :, None, None]
            state[f"{name}.conv.{place}.bias"] = offset
    save_file({name: value.half().contiguous() for name, value in state.items()}, file)
