"""How a SPAN begins, how another scale's begins with what one has learned, and its file."""

from __future__ import annotations

from pathlib import Path

import torch
from imgai_super_resolve.span import Span
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

GAIN = 2
"""How much wider the chain is, in SPAN's own files, than the convolution that it amounts to."""


@torch.no_grad()
def begin_with_repetition(network: Span, scale: int) -> None:
    """As the picture with each pixel repeated, and noise beside it that the body can make something of."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear").mul_(0.86)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    first, gather = network.conv_1, network.conv_cat
    first.weight.mul_(3.4)
    first.weight[:3] = 0
    first.weight[range(3), range(3), 1, 1] = 1
    gather.weight.mul_(0.58)
    gather.weight[:3] = 0
    gather.weight[range(3), range(3)] = 1
    last = network.upsampler[0]
    assert isinstance(last, nn.Conv2d)
    last.weight.mul_(0.058)
    last.weight[:, :3] = 0
    for color in range(3):
        last.weight[color * scale**2 : (color + 1) * scale**2, color, 1, 1] = 1


def begin_with_body(network: Span, other: Span) -> None:
    """With the body of a network of another scale; the way up too, where the scale is the same."""
    network.load_state_dict({k: v for k, v in other.state_dict().items() if "upsampler" not in k}, strict=False)
    ways = network.upsampler.state_dict(), other.upsampler.state_dict()
    if ways[0]["0.weight"].shape == ways[1]["0.weight"].shape:
        network.upsampler.load_state_dict(ways[1])
        return
    # Each of the new sub-pixels begins as the old one that lies where it does.
    scale, old = (round((len(way["0.bias"]) / 3) ** 0.5) for way in ways)
    nearest = [int((place + 0.5) * old / scale) for place in range(scale)]
    for name, value in ways[1].items():
        cells = value.view(3, old, old, *value.shape[1:])[:, nearest][:, :, nearest]
        ways[0][name].copy_(cells.flatten(0, 2))


def save_weights(network: Span, file: Path) -> None:
    """Write the weights; see `tensors_of`."""
    save_file(tensors_of(network), file)


def tensors_of(network: Span) -> dict[str, Tensor]:
    """The weights in half precision under the names that SPAN's files have elsewhere.

    Loaders that merge chains themselves get the shortest chain that amounts to the very same convolution: two
    identities around the kernel, and nothing beside it.
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
    return {name: value.half().contiguous() for name, value in state.items()}
