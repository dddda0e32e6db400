"""What makes the painting network fast leaves its numbers as they are."""

from __future__ import annotations

import torch
from imgai_stylize.network import SIZE, Painter, StyleNet, UpConv, normalized, pack, unpack
from torch.nn import functional as F


def test_a_convolution_on_the_way_up_is_that_of_the_repeated_picture() -> None:
    torch.manual_seed(0)
    up, x = UpConv(6, 5), torch.randn(2, 6, 7, 9)
    larger = F.pad(F.interpolate(x, scale_factor=2.0), (1, 1, 1, 1), mode="reflect")
    with torch.no_grad():
        assert torch.allclose(up(x), F.conv2d(larger, up.weight), atol=1e-5)


def test_each_picture_of_a_batch_is_normalised_by_its_own_statistics() -> None:
    x = torch.randn(3, 8, 11, 5) * torch.tensor([0.5, 1, 9]).view(3, 1, 1, 1) + 2
    found, (mean, rate) = normalized(x, torch.ones(3, 8), torch.zeros(3, 8))
    assert torch.allclose(found, F.instance_norm(x, eps=1e-4), atol=1e-4)
    assert torch.allclose(mean, x.mean((2, 3), keepdim=True), atol=1e-5)
    assert torch.allclose(rate, (x.var((2, 3), keepdim=True, correction=0) + 1e-4).rsqrt(), rtol=1e-4)


def test_a_picture_is_painted_the_same_with_statistics_that_were_taken_before() -> None:
    torch.manual_seed(1)
    network, style, x = StyleNet().eval(), 0.2 * torch.randn(2, SIZE), torch.rand(2, 3, 32, 40)
    painter = Painter(style, None)
    with torch.no_grad():
        alone = network.paint(x, painter)
        assert torch.allclose(network(x, style, unpack(pack(painter.used))), alone, atol=1e-4)
