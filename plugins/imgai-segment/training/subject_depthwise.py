"""Depthwise convolutions whose backward pass runs in single precision.

On processors with bfloat16 matrix units autocast makes all of training faster but this: the backward pass of a 5 x 5
depthwise convolution has no fast bfloat16 kernel and takes four times as long as in single precision (torch 2.13).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _Depthwise(torch.autograd.Function):
    """The convolution in the dtype of the autocast, its gradients in float32."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
        context.save_for_backward(x, weight)
        context.sides = (stride, padding)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        halved = None if bias is None else bias.to(dtype)
        return nn.functional.conv2d(x.to(dtype), weight.to(dtype), halved, stride, padding, 1, len(weight))

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = context.saved_tensors
        stride, padding = context.sides
        wanted = [context.needs_input_grad[0], context.needs_input_grad[1], context.needs_input_grad[2]]
        to_x, to_weight, to_bias = torch.ops.aten.convolution_backward(
            gradients[0].float(), x.float(), weight.float(), [len(weight)], [stride] * 2, [padding] * 2, [1, 1],
            False, [0, 0], len(weight), wanted,
        )  # fmt: skip
        return None if to_x is None else to_x.to(x.dtype), to_weight, to_bias, None, None


def speed_up(network: nn.Module) -> None:
    """Give every depthwise convolution of a network this backward pass. The results are the same."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            stride, padding = module.stride[0], int(module.padding[0])

            def convolve(
                x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = stride, padding: int = padding
            ) -> Tensor:
                found: Tensor = _Depthwise.apply(x, weight, bias, stride, padding)  # type: ignore[no-untyped-call]
                return found

            module._conv_forward = convolve  # type: ignore[method-assign]
