"""A step keeps its promises whatever the size of the picture, the memory of the device, the mood of the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from imgai.errors import InputError, PluginError
from imgai.outputs import output_of
from imgai.plugin import Model, Output, Predictor, Task
from imgai.predict.chain import Chain
from imgai.predict.step import Step
from imgai.sample import Failure, Metadata, Sample, Source
from imgai.testing import fake, load_step, step_of
from imgai.testing.images import discs, gradient, noise

CPU = torch.device("cpu")


def sample(image: Tensor, name: str = "x", **about: Any) -> Sample:
    return Sample(image, Source(None, name), Metadata("PNG", **about))


def uint8(image: Tensor) -> Tensor:
    return (image * 255).round().to(torch.uint8)


def step(
    network: Callable[[Tensor], Tensor], model: Model = fake.LIGHTNESS, task: Task = fake.FIND_LIGHT, **options: Any
) -> Step:
    return step_of(task, model, Predictor(network=network), device=CPU, **options)


def mean(image: Tensor) -> Tensor:
    return image.mean(dim=1, keepdim=True)


class Blur(nn.Module):
    """A convolution that sees 5 pixels to each side."""

    def forward(self, image: Tensor) -> Tensor:
        kernel = torch.ones(1, 1, 11, 11) / 121
        return torch.nn.functional.conv2d(mean(image), kernel, padding=5)


def mask(result: Sample | Failure | None) -> Tensor:
    assert isinstance(result, Sample)
    return next(iter(result.masks.values())).values


def test_tiles_give_what_the_whole_gives() -> None:
    model = dataclasses.replace(fake.LIGHTNESS, tile=64, overlap=30)
    image = noise(150, 210)
    tiled = mask(step(Blur(), model)(sample(image)))
    whole = mask(step(Blur(), model, tile=256)(sample(image)))
    # The whole is padded by reflection to a multiple of 8; the convolution's own border is the picture's then.
    assert (tiled.int() - whole.int()).abs().max() <= 1


def test_what_differs_between_tiles_fades() -> None:
    """A network whose answer is another in each tile: neighbours must not meet in a step."""
    values = iter([0.2, 0.8] * 50)
    fading = step(
        lambda image: torch.full_like(mean(image), next(values)),
        dataclasses.replace(fake.LIGHTNESS, overlap=24),
        batch=1,
    )
    found = mask(fading(sample(noise(64, 300))))[0].int()
    assert found.max() - found.min() > 100
    assert found.diff(dim=1).abs().max() < 25


def test_one_batch_holds_items_of_several_images() -> None:
    sizes = []

    def counting(image: Tensor) -> Tensor:
        sizes.append(len(image))
        return mean(image)

    images = [sample(gradient(height, 130), str(height)) for height in (64, 100, 70)]
    found = list(step(counting, batch=8).stream(images))
    assert [each.source.name for each in found if isinstance(each, Sample)] == ["64", "100", "70"]
    tiles = sum(sizes)
    assert sizes[:-1] == [8] * (tiles // 8)
    for each, image in zip(found, images, strict=True):
        assert (mask(each) - uint8(mean(image.image))[0].int()).abs().max() <= 1


def test_a_failure_passes_through_in_its_place() -> None:
    failure = Failure(Source(None, "bad"), InputError("bad"))
    found = list(step(mean).stream([sample(noise(20, 20), "a"), failure, sample(noise(20, 20), "b")]))
    assert found[1] is failure
    assert [each.source.name for each in found if each is not None] == ["a", "bad", "b"]


def test_none_asks_for_what_is_pending() -> None:
    stream = step(mean, batch=64).stream(iter([sample(noise(20, 20)), None, sample(noise(20, 20))]))
    assert isinstance(next(stream), Sample)
    assert next(stream) is None


@pytest.mark.parametrize("depth", [torch.uint8, torch.uint16, torch.float32])
def test_pictures_of_every_depth(depth: torch.dtype) -> None:
    image = gradient(33, 47)
    stored = image if depth == torch.float32 else (image * (255 if depth == torch.uint8 else 65535)).int().to(depth)
    found = mask(step(mean)(sample(stored)))
    assert (found.float() / 255 - mean(image)[0]).abs().max() <= 1.5 / 255


def test_pictures_of_several_depths_share_no_batch() -> None:
    """A batch has one type: what is copied into another's is cut or crushed."""
    image = gradient(40, 48)
    deep = (image * 65535).int().to(torch.uint16)
    found = step(mean, batch=8).stream([sample(uint8(image)), sample(deep), sample(uint8(image)), sample(deep)])
    for each in found:
        assert (mask(each).float() / 255 - mean(image)[0]).abs().max() <= 1.5 / 255


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_batch_then_the_tile(error: Exception) -> None:
    seen = []

    def small(image: Tensor) -> Tensor:
        if image[:, 0].numel() > 40 * 40:
            raise error
        seen.append(tuple(image.shape))
        return mean(image)

    poor = step(small, batch=4)
    image = gradient(150, 150)
    assert (mask(poor(sample(image))).float() / 255 - mean(image)[0]).abs().max() <= 1.5 / 255
    assert (poor.batch, poor.tile) == (1, 32)
    before = len(seen)
    poor(sample(image))
    assert max(shape[-1] for shape in seen[before:]) == 32, "the smaller tile is remembered"


def test_no_memory_at_all_fails_the_picture_with_a_reason() -> None:
    def hopeless(image: Tensor) -> Tensor:
        raise MemoryError

    (found,) = step(hopeless).stream([sample(noise(100, 100), "big.png")])
    assert isinstance(found, Failure)
    assert "big.png: out of memory on cpu" in str(found.error)


class Fragile(nn.Module):
    """Overflows in half precision, as attention and variance layers do."""

    def forward(self, image: Tensor) -> Tensor:
        scale = torch.ones(1, 3, 1, 1) * 1000
        large = torch.nn.functional.conv2d(image, scale)
        return torch.where(torch.tensor(large.dtype != torch.float32), large * float("nan"), large / 3000).float()


def test_a_batch_that_is_not_finite_is_run_again_in_fp32() -> None:
    image = gradient(40, 40)
    half = step(Fragile(), precision=torch.bfloat16)
    assert (mask(half(sample(image))).float() / 255 - mean(image)[0]).abs().max() <= 1.5 / 255


def test_what_stays_not_finite_fails_its_picture_alone() -> None:
    def moody(image: Tensor) -> Tensor:
        return mean(image) / (image.amax(dim=(1, 2, 3), keepdim=True) > 0)

    black = torch.zeros(1, 3, 40, 40)
    found = list(step(moody).stream([sample(gradient(40, 40)), sample(black, "black"), sample(gradient(40, 40))]))
    assert [type(each) for each in found] == [Sample, Failure, Sample]
    assert "not finite" in str(found[1].error)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("task", "model", "network", "words"),
    [
        (fake.FIND_LIGHT, fake.LIGHTNESS, lambda image: image, "declare labels and auxiliary for 3 channels"),
        (fake.BRIGHTEN, fake.LIGHTNESS, fake.load_double(None).network, "declare scale=2"),  # type: ignore[arg-type]
        (fake.BRIGHTEN, fake.DOUBLE, lambda image: image, "declare scale=1"),
        (fake.WEIGH, fake.MEAN, lambda image: image.mean(dim=(2, 3)), "declare 3 labels"),
        (fake.WEIGH, fake.MEAN, lambda image: "dark", "returned str"),
    ],
)
def test_a_wrong_declaration_is_told_with_the_right_one(task: Task, model: Model, network: Any, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        step(network, model, task)(sample(noise(40, 40)))


def test_images_double_and_alpha_goes_along() -> None:
    image = uint8(gradient(50, 70))
    alpha = torch.zeros(1, 1, 50, 70, dtype=torch.uint8)
    alpha[..., 20:30, 20:30] = 255
    doubled = Chain([load_step(fake.BRIGHTEN, fake.DOUBLE, device=CPU)])(
        dataclasses.replace(sample(image), alpha=alpha)
    )
    assert doubled.image.shape == (1, 3, 100, 140)
    inside = (..., slice(20, 30), slice(20, 30))
    assert torch.equal(uint8(doubled.image)[..., ::2, ::2][inside], image[inside])
    assert doubled.alpha is not None
    assert doubled.alpha.shape == (1, 1, 100, 140)
    assert doubled.alpha[0, 0, 50, 50] == 1
    assert doubled.alpha[0, 0, 5, 5] == 0


def test_no_network_sees_what_lies_under_transparent_pixels() -> None:
    image, alpha = torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32)
    image[..., 16:], alpha[..., 16:] = 1.0, 0.0
    found = step(mean)(dataclasses.replace(sample(image), alpha=alpha))
    assert mask(found).max() == 0


def test_grey_stays_grey() -> None:
    color = step(
        lambda image: image * torch.tensor([1.0, 0.5, 0.2])[None, :, None, None],
        dataclasses.replace(fake.DOUBLE, scale=1),
        fake.BRIGHTEN,
    )
    result = color(sample(gradient(20, 20)[:, :1].expand(1, 3, 20, 20), gray=True)).image
    assert torch.equal(result[:, 0], result[:, 1])
    assert torch.equal(result[:, 0], result[:, 2])


def test_a_chain_is_its_steps_one_after_the_other() -> None:
    double = load_step(fake.BRIGHTEN, fake.DOUBLE, device=CPU)
    light = load_step(fake.FIND_LIGHT, fake.LIGHTNESS, device=CPU, params=fake.LightParams())
    weigh = load_step(fake.WEIGH, fake.MEAN, device=CPU)
    image, _ = discs(60, 80)
    (found,) = Chain([double, light, weigh]).stream([sample(uint8(image))])
    assert isinstance(found, Sample)
    assert found.image.shape == (1, 3, 120, 160)
    assert found.masks["find-light"].values.shape == (1, 120, 160)
    assert found.scores["weigh"].values.sum() == pytest.approx(1)
    alone = weigh(double(sample(uint8(image))))
    assert torch.allclose(found.scores["weigh"].values, alone.scores["weigh"].values)


@pytest.mark.parametrize(
    ("load", "words"),
    [
        ("imgai.testing.nowhere:load", "No module named"),
        ("imgai.testing.fake:nothing", "has no attribute"),
        ("imgai.testing.images:noise", "cannot be loaded"),
        ("imgai.testing.fake:imgai_register_tasks", "cannot be loaded"),
        ("sys:exit", "cannot be loaded by sys:exit: SystemExit"),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(load: str, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        load_step(fake.FIND_LIGHT, dataclasses.replace(fake.LIGHTNESS, load=load), device=CPU)


def test_scores_need_an_input_size() -> None:
    with pytest.raises(PluginError, match="input_size"):
        load_step(fake.WEIGH, dataclasses.replace(fake.MEAN, input_size=None), device=CPU)


def test_every_output_is_known_to_the_host() -> None:
    """Whatever a plugin declares, the host knows what to do with it."""
    for output in Output:
        assert output_of(output).field in {"", *(field.name for field in dataclasses.fields(Sample))}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_what_the_cpu_gives() -> None:
    image = uint8(gradient(300, 200))
    here = load_step(fake.FIND_LIGHT, fake.LIGHTNESS, device=CPU, params=fake.LightParams())
    there = load_step(
        fake.FIND_LIGHT,
        fake.LIGHTNESS,
        device=torch.device("cuda", 0),
        params=fake.LightParams(),
        precision=torch.float16,
    )
    assert (mask(here(sample(image))).int() - mask(there(sample(image))).int()).abs().max() <= 1


class Placed(nn.Module):
    """Paints the row and column of each pixel, from what it is told about its place; and the mean that was seen."""

    def forward(self, image: Tensor, notes: Tensor, place: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        down = (torch.arange(height) + 0.5) / height
        across = (torch.arange(width) + 0.5) / width
        rows = place[:, 0, None] + place[:, 2, None] * down
        columns = place[:, 1, None] + place[:, 3, None] * across
        return torch.stack(
            (
                rows[:, :, None].expand(-1, -1, width),
                columns[:, None, :].expand(-1, height, -1),
                notes[:, 0, None, None].expand(-1, height, width),
            ),
            dim=1,
        ).clamp(0, 1)


def placed(**about: Any) -> Step:
    model = dataclasses.replace(fake.DOUBLE, scale=1, tile=64, overlap=24, **about)
    task = dataclasses.replace(fake.BRIGHTEN)
    predictor = Predictor(network=Placed(), survey=lambda view: view.mean((0, 2, 3)))
    return step_of(task, model, predictor, device=CPU)


def test_a_network_knows_of_the_whole_and_where_in_it_it_is() -> None:
    dark, light = 0.5 * noise(150, 210), 0.5 + 0.5 * noise(150, 210)
    results = list(placed(overview=(40, 40)).stream([sample(dark), sample(light)]))
    for result, image in zip(results, (dark, light), strict=True):
        assert isinstance(result, Sample)
        rows, columns, mean_ = result.image[0]
        assert torch.allclose(rows[:, 7], (torch.arange(150) + 0.5) / 150, atol=1e-3)
        assert torch.allclose(columns[7], (torch.arange(210) + 0.5) / 210, atol=1e-3)
        assert (mean_ - image[:, 0].mean()).abs().max() < 0.01


def test_a_view_of_the_whole_is_of_its_shape_where_only_its_longer_side_is_said() -> None:
    seen = []

    def survey(view: Tensor) -> Tensor:
        seen.append(tuple(view.shape))
        return view.mean((0, 2, 3))

    model = dataclasses.replace(fake.DOUBLE, scale=1, overview=50)
    looking = step_of(fake.BRIGHTEN, model, Predictor(network=Placed(), survey=survey), device=CPU)
    looking(sample(noise(100, 200)))
    looking(sample(noise(10, 20)))
    assert seen == [(1, 3, 25, 50), (1, 3, 10, 20)]


def test_a_survey_that_fails_costs_one_image() -> None:
    def survey(view: Tensor) -> Tensor:
        if view.mean() < 0.2:
            raise ValueError("too dark to see")
        return view.mean((0, 2, 3))

    model = dataclasses.replace(fake.DOUBLE, scale=1, tile=64, overlap=8)
    looking = step_of(fake.BRIGHTEN, model, Predictor(network=Placed(), survey=survey), device=CPU)
    dark, light = looking.stream([sample(torch.zeros(1, 3, 40, 40), "dark.png"), sample(noise(40, 40))])
    assert isinstance(dark, Failure)
    assert str(dark.error).startswith("dark.png: the model double failed: ValueError: too dark to see")
    assert isinstance(light, Sample)


@pytest.mark.parametrize("poor", [False, True])
def test_a_network_that_sees_the_whole_needs_no_survey(poor: bool) -> None:
    seen, told = [], []

    def survey(view: Tensor) -> Tensor:
        seen.append(tuple(view.shape[-2:]))
        return view.mean((0, 2, 3))

    def network(image: Tensor, notes: Tensor, place: Tensor) -> Tensor:
        if poor and image.shape[-1] > 40:
            raise MemoryError
        told.append(tuple(notes.shape))
        return image

    model = dataclasses.replace(fake.DOUBLE, scale=1, tile=64, overlap=8)
    predictor = Predictor(network=network, survey=survey, sees_whole=True)
    looking = step_of(fake.BRIGHTEN, model, predictor, device=CPU, batch=1)
    small, large = looking.stream([sample(noise(50, 64)), sample(noise(64, 100))])
    assert isinstance(small, Sample)
    assert isinstance(large, Sample)
    if poor:  # what was one tile is cut for want of memory, and its tiles must know of each other
        assert seen == [(50, 64), (64, 100)]
        assert set(told) == {(1, 3)}
    else:
        assert seen == [(64, 100)]
        assert told[0] == (1, 0)
        assert set(told[1:]) == {(1, 3)}


def test_a_large_image_is_worked_on_small_where_the_model_says_so() -> None:
    seen = []

    def network(image: Tensor) -> Tensor:
        seen.append(tuple(image.shape[-2:]))
        return 1 - image

    model = dataclasses.replace(fake.DOUBLE, scale=1, tile=128, overlap=8, longest=100)
    result = step_of(fake.BRIGHTEN, model, Predictor(network=network), device=CPU)(sample(gradient(150, 300)))
    assert seen == [(50, 100)]
    assert result.image.shape == (1, 3, 150, 300)
    seen.clear()
    model = dataclasses.replace(model, fraction=0.5)
    step_of(fake.BRIGHTEN, model, Predictor(network=network), device=CPU)(sample(gradient(60, 100)))
    assert seen == [(30, 50)]
    assert (result.image - (1 - gradient(150, 300))).abs().mean() < 0.02


@pytest.mark.parametrize("quantized", [False, True])
def test_detail_that_shrinking_loses_is_kept_where_the_predictor_says_so(quantized: bool) -> None:
    model = dataclasses.replace(fake.DOUBLE, scale=1, tile=128, overlap=8, longest=50)
    image = uint8(noise(300, 90))
    for detail, most, least in ((1.0, 0.01, 0.0), (0.0, 1.0, 0.1)):
        keeping = step_of(
            fake.BRIGHTEN,
            model,
            Predictor(network=lambda image: image * 1.0, detail=detail),
            device=CPU,
            quantized=quantized,
        )
        found = keeping(sample(image)).image
        assert found.dtype == (torch.uint8 if quantized else torch.float32)
        difference = (found.float() / (255 if quantized else 1) - image / 255).abs().mean()
        assert least <= difference <= most
