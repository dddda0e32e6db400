"""Any factor, with the networks that there are: the smallest that suffices, then down to the pixel."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from imgai.images.alpha import bleed
from imgai.images.depth import quantize
from imgai.outputs import StepContext
from imgai.plugin import Predictor
from imgai.predict.scaling import Scaling
from imgai.predict.size import Size
from imgai.sample import Failure, Metadata, Sample, Source
from imgai.testing import fake, step_of
from imgai.testing.images import gradient, noise

CPU = torch.device("cpu")


def repeat(scale: int, used: list[int]) -> Callable[[Tensor], Tensor]:
    def network(image: Tensor) -> Tensor:
        used.append(scale)
        return image.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)

    return network


def family(used: list[int], scales: tuple[int, ...] = (2, 3, 4), quantized: bool = False) -> list[StepContext]:
    return [
        StepContext(
            dataclasses.replace(fake.DOUBLE, name=f"repeat-x{scale}", family="repeat", scale=scale),
            Predictor(repeat(scale, used)),
            "brighten",
            quantized,
        )
        for scale in scales
    ]


def scaling(size: Size, used: list[int] | None = None, quantized: bool = False) -> Scaling:
    return Scaling(fake.BRIGHTEN, family([] if used is None else used, quantized=quantized), size)


def sample(image: Tensor, alpha: Tensor | None = None, **about: Any) -> Sample:
    return Sample(image, Source(None, "x"), Metadata("PNG", **about), alpha=alpha)


@pytest.mark.parametrize(
    ("factor", "networks"),
    [(1, []), (1.5, [2]), (2, [2]), (2.2, [3]), (3, [3]), (3.5, [4]), (4, [4]), (5, [4, 2]), (8, [4, 2])],
)
def test_the_smallest_networks_that_suffice_are_used(factor: float, networks: list[int]) -> None:
    used: list[int] = []
    result = scaling(Size(scale=factor), used)(sample(noise(20, 30)))
    assert used == networks
    assert tuple(result.image.shape) == (1, 3, round(20 * factor), round(30 * factor))


def test_pictures_of_many_sizes_keep_their_order_and_reach_one_width() -> None:
    widths = [10, 64, 35, 64, 200, 20, 11]
    results = list(scaling(Size(width=64)).stream([sample(noise(12, width)) for width in widths]))
    for width, result in zip(widths, results, strict=True):
        assert isinstance(result, Sample)
        assert result.width == 64
        assert result.height == max(1, round(12 * 64 / width))


def test_a_picture_that_would_grow_too_much_fails_alone() -> None:
    small, good = list(scaling(Size(width=64)).stream([sample(noise(12, 5)), sample(noise(12, 32))]))
    assert isinstance(small, Failure)
    assert "12.8 times" in str(small.error)
    assert isinstance(good, Sample)


def test_a_picture_of_the_size_is_left_alone_to_the_bit() -> None:
    image = quantize(noise(20, 30), 8)
    result = scaling(Size(width=30))(sample(image))
    assert result.image is image
    assert not result.edited


def test_going_down_to_the_pixel_is_antialiased() -> None:
    # Stripes of a pixel at x2, brought to x1.5, must become grey stripes without a beat in their mean.
    stripes = torch.zeros(1, 3, 32, 64)
    stripes[..., ::2] = 1
    result = scaling(Size(scale=1.1))(sample(stripes))
    means = result.image[0, 0, :, 4:-4].unfold(1, 10, 5).mean(dim=(0, 2))
    assert (means - 0.5).abs().max() < 0.06


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("factor", [2, 2.5])
def test_quantized_images_are_those_that_would_be_written(depth: int, gray: bool, factor: float) -> None:
    # Away from black and white: there the resize of 8 bits cuts what overshoots between its two passes, as Pillow does.
    image = quantize(0.25 + 0.5 * noise(20, 30), depth)
    if gray:
        image = image[:, :1].expand(-1, 3, -1, -1)
    alpha = quantize(gradient(20, 30)[:, :1], depth)
    given = sample(image, alpha, depth=depth, gray=gray)
    exact, quantized = scaling(Size(scale=factor))(given), scaling(Size(scale=factor), quantized=True)(given)
    assert quantized.image.dtype == {8: torch.uint8, 16: torch.uint16}[depth]
    assert exact.alpha is not None
    assert quantized.alpha is not None
    for one, other in ((exact.image, quantized.image), (exact.alpha, quantized.alpha)):
        # In 8 bits the last resize begins from whole levels, which is another level of difference at most.
        assert np.abs(quantize(one, depth).numpy().astype(int) - other.numpy().astype(int)).max() <= 1
    if gray:
        assert quantized.image.stride(1) == 0, "a grey picture is held once"


def test_alpha_follows_and_brings_no_dark_fringe() -> None:
    # A white disc on nothing, with black under the nothing, through a network that looks around.
    rows, columns = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    inside = (rows - 24) ** 2 + (columns - 24) ** 2 < 15**2
    image = inside.float().expand(1, 3, -1, -1).contiguous()
    alpha = inside.float()[None, None]

    def blurred(tile: Tensor) -> Tensor:
        around = torch.nn.functional.avg_pool2d(tile, 5, 1, 2, count_include_pad=False)
        return around.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    step = step_of(fake.BRIGHTEN, fake.DOUBLE, Predictor(blurred), device=CPU)
    result = step(sample(quantize(image, 8), quantize(alpha, 8)))
    assert result.alpha is not None
    assert tuple(result.alpha.shape) == (1, 1, 96, 96)
    seen = result.alpha[0, 0] > 0.02
    assert result.image[0, 0][seen].min() > 0.99


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("quantized", [False, True])
def test_a_picture_that_shrinks_gets_no_dark_fringe(quantized: bool, gray: bool) -> None:
    image, alpha = torch.zeros(1, 1, 30, 40), torch.zeros(1, 1, 30, 40)
    image[..., 7:23, 9:31] = alpha[..., 7:23, 9:31] = 1  # white on transparent black
    image = image.expand(-1, 3, -1, -1)
    given = quantize(image if gray else image.contiguous(), 8)
    given = given[:, :1].expand(-1, 3, -1, -1) if gray else given
    result = scaling(Size(width=20), quantized=quantized)(sample(given, quantize(alpha, 8), gray=gray))
    assert result.alpha is not None
    cover = quantize(result.alpha, 8)
    assert bool(((cover > 0) & (cover < 255)).any())
    assert quantize(result.image, 8)[:, :1][cover > 0].min() == 255
    if gray:
        assert result.image.stride(1) == 0, "a grey picture is held once"


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_colours_bleed_from_the_nearest_visible_pixel(dtype: torch.dtype) -> None:
    image = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.5]).expand(1, 3, 2, -1)
    depth = {torch.uint8: 8, torch.uint16: 16}.get(dtype)
    given = image if depth is None else quantize(image, depth)
    alpha = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0]).expand(1, 1, 2, -1)
    result = bleed(given, alpha)
    assert result.dtype == dtype
    assert result[0, 0, 0, [0, 1, 3, 4]].tolist() == given[0, 0, 0, [0, 0, 4, 4]].tolist()


def test_a_picture_without_hidden_pixels_is_not_copied() -> None:
    image = noise(4, 4)
    assert bleed(image, torch.full((1, 1, 4, 4), 7, dtype=torch.uint8)) is image
