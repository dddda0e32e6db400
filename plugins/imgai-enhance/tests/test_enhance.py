"""Pictures get the look that they need, no more, smoothly and at any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from imgai_enhance import MODELS, PARTS, TASK, EnhanceParams, LowLightParams
from imgai_enhance import look as looks
from imgai_enhance.survey import spared
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from PIL import Image
from torch import Tensor

from imgai.plugin import NoParams, Predictor
from imgai.testing import Metadata, Sample, Source, Step, UsageError, as_values, load_step, step_of

CPU = torch.device("cpu")
PICTURES = sorted((Path(__file__).parents[3] / "examples" / "scans").glob("*.jpg"))


def enhancer(name: str = "auto", *, noise: float = 0.5, **params: Any) -> Step:
    model = next(model for model in MODELS if model.name == name)
    own = LowLightParams(noise=noise) if name == "low-light" else NoParams()
    return load_step(TASK, model, device=CPU, params=EnhanceParams(**params), model_params=own)


def picture(path: Path) -> Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def through(step: Step, image: Tensor, **about: Any) -> Tensor:
    return step(Sample(image, Source(None, "x"), Metadata("PNG", **about))).image


def psnr(one: Tensor, other: Tensor) -> float:
    return float(-10 * (one - other).square().mean().log10())


def in_light(image: Tensor, gains: Tensor | float) -> Tensor:
    return linear_rgb_to_rgb((rgb_to_linear_rgb(image) * gains).clamp(0, 1)).clamp(0, 1)


SPOILED = {
    "too dark": lambda image: in_light(image, 0.2),
    "too light": lambda image: in_light(image, 1.8),
    "too flat": lambda image: 0.3 + 0.4 * image,
    "hazy": lambda image: linear_rgb_to_rgb(0.5 * rgb_to_linear_rgb(image) + 0.33),
    "with a warm cast": lambda image: (image * torch.tensor([1.2, 1.0, 0.78]).view(3, 1, 1)).clamp(0, 1),
    "with a green cast": lambda image: (image * torch.tensor([0.85, 1.15, 0.9]).view(3, 1, 1)).clamp(0, 1),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_picture_comes_nearer_to_the_good_one(how: str) -> None:
    step = enhancer()
    gained = []
    for path in PICTURES:
        good = picture(path)
        bad = SPOILED[how](good)
        gained.append(psnr(through(step, bad), good) - psnr(bad, good))
    assert np.mean(gained) > 1, gained


def test_a_dark_noisy_picture_becomes_light_and_clean() -> None:
    good = picture(PICTURES[0])
    dark = in_light(good, 0.04)
    dark = ((dark + 0.012 * torch.randn(dark.shape, generator=torch.manual_seed(1))).clamp(0, 1) * 255).round() / 255
    made, grainy = (through(enhancer("low-light", noise=noise), dark) for noise in (1, 0))
    assert psnr(made, good) > psnr(dark, good) + 4
    grain = [float((image.diff(dim=3)).abs().mean()) for image in (made, grainy)]
    assert grain[0] < 0.6 * grain[1]


def test_dark_pictures_become_as_bright_as_scenes_are_but_no_more_than_the_look_may_be_moved() -> None:
    good = picture(PICTURES[0])
    made = [through(enhancer("low-light"), in_light(good, share)) for share in (0.02, 0.08)]
    for image in made:
        assert float(looks.luma(image).mean()) == pytest.approx(0.455, abs=0.03)
    black = through(enhancer("low-light"), torch.zeros(1, 3, 64, 64))
    assert float(black.mean()) < 0.2


@pytest.mark.parametrize("name", ["auto", "low-light"])
def test_no_strength_gives_the_very_picture(name: str) -> None:
    image = (picture(PICTURES[0]) * 255).to(torch.uint8)
    assert through(enhancer(name, strength=0.0), image) is image


def test_strength_goes_from_the_picture_to_the_enhanced_one() -> None:
    dark = SPOILED["too dark"](picture(PICTURES[1]))
    whole, half = through(enhancer(), dark), through(enhancer(strength=0.5), dark)
    assert (half - (whole + dark) / 2).abs().max() < 1e-5


@pytest.mark.parametrize("part", PARTS)
def test_only_what_is_named_is_touched(part: str) -> None:
    """The numbers of every other part may be what they like."""
    image, place = picture(PICTURES[2])[..., :64, :64], torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    torch.manual_seed(2)
    look = 0.5 * torch.randn(1, looks.SIZE)
    other = 0.5 * torch.randn(1, looks.SIZE)
    for name in (part, "shoulders", "airlight", "cast"):
        other[:, looks.PLACES[name]] = look[:, looks.PLACES[name]]
    made = looks.apply(image, look, place, (part,))
    assert torch.equal(made, looks.apply(image, other, place, (part,)))
    assert (made - image).abs().max() > 0.01


def test_the_colour_of_a_cast_is_white_balance_and_its_brightness_exposure() -> None:
    grey, place = torch.full((1, 3, 8, 8), 0.5), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    look = torch.zeros(1, looks.SIZE)
    look[:, looks.PLACES["cast"]] = torch.tensor([1.2, 1.0, 0.7]).log()
    balanced, exposed, both = (
        looks.apply(grey, look, place, parts)[0, :, 0, 0]
        for parts in (("white-balance",), ("exposure",), ("white-balance", "exposure"))
    )
    assert float(looks.luma(balanced.view(1, 3, 1, 1))) == pytest.approx(0.5, abs=0.02)
    assert balanced[2] > balanced[1] > balanced[0]
    assert exposed.max() - exposed.min() < 1e-4
    assert both.tolist() == pytest.approx([0.5 / 1.2, 0.5, 0.5 / 0.7], abs=1e-3)


def test_white_stays_white_without_its_cast() -> None:
    cast = torch.tensor([[1.3, 1.1, 0.8]]).log()
    ramp = torch.linspace(0, 1, 256).view(1, 1, 1, -1).expand(1, 3, 1, -1)
    made = looks.uncast(ramp, cast)
    assert made[..., -1].tolist() == [[[1.0], [1.0], [1.0]]]
    assert (made.diff(dim=3) > -0.5 / 255).all()  # no tone is turned around on the way there


def test_the_option_names_parts() -> None:
    dark = SPOILED["too dark"](picture(PICTURES[1]))
    params = as_values(EnhanceParams, {"only": ["exposure, contrast"]})
    assert params.only == ("exposure", "contrast")
    some = through(enhancer(only=params.only), dark)
    assert (some - through(enhancer(), dark)).abs().max() > 1 / 255
    with pytest.raises(UsageError, match="did you mean 'exposure'"):
        as_values(EnhanceParams, {"only": ["exposur"]})


def test_too_thick_a_haze_is_not_cleared_into_black() -> None:
    """A dark sky behind haze, of which the network guessed more than there was, and in blotches."""
    good = picture(PICTURES[3])
    hazy = linear_rgb_to_rgb(0.4 * rgb_to_linear_rgb(good) + 0.6 * torch.tensor([0.62, 0.66, 0.7]).view(1, 3, 1, 1))
    view = torch.nn.functional.interpolate(hazy, (160, 160), mode="bilinear", antialias=True)
    place = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    look = torch.zeros(1, looks.SIZE)
    look[:, looks.PLACES["haze"]] = 1.5 + torch.rand(1, 144, generator=torch.manual_seed(4))
    look[:, looks.PLACES["airlight"]] = torch.tensor([0.5, 0.7, 0.9])
    lost, kept = (looks.apply(view, each, place).amax(1) < 0.012 for each in (look, spared(view, look)))
    assert lost.float().mean() > 0.5
    assert kept.float().mean() < 0.2


def test_a_look_that_does_no_harm_is_left_alone() -> None:
    view = torch.nn.functional.interpolate(picture(PICTURES[0]), (160, 160), mode="bilinear", antialias=True)
    look = 0.1 * torch.randn(1, looks.SIZE, generator=torch.manual_seed(5))
    look[:, looks.PLACES["haze"]] -= 1.0
    assert spared(view, look) is look


def test_a_look_of_zeros_changes_nothing_but_a_breath_of_haze() -> None:
    image, place = picture(PICTURES[0])[..., :64, :64], torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    zeros = torch.zeros(1, looks.SIZE)
    parts = [part for part in PARTS if part != "haze"]
    assert (looks.apply(image, zeros, place, parts) - image).abs().max() < 1e-4


def test_a_smooth_ramp_of_16_bits_stays_smooth() -> None:
    ramp = torch.linspace(2000, 30000, 4096).round().to(torch.int32).to(torch.uint16).view(1, 1, 1, -1)
    made = through(enhancer(), ramp.expand(1, 3, 64, -1), depth=16)[0, 1, 30]
    steps = made.diff()
    assert steps.min() > -1e-6
    assert made.unique().numel() > 3500
    assert steps.max() < 8 * steps.mean()


def test_tiles_are_those_of_one_picture() -> None:
    image = torch.nn.functional.interpolate(picture(PICTURES[3]), (700, 900), mode="bilinear")
    step = enhancer()
    tiled = step_of(TASK, step.model, step.predictor, device=CPU, tile=200)
    assert (through(tiled, image) - through(step, image)).abs().max() < 1e-5


def test_the_look_is_found_at_one_size_whatever_the_pictures() -> None:
    step, seen = enhancer(), []
    survey = step.predictor.survey
    assert survey is not None

    def looking(view: Tensor) -> Tensor:
        seen.append(tuple(view.shape))
        return survey(view)

    watched = Predictor(network=step.predictor.network, survey=looking)
    for height, width in ((40, 60), (1500, 900)):
        through(step_of(TASK, step.model, watched, device=CPU), torch.rand(1, 3, height, width))
    assert seen == [(1, 3, 160, 160)] * 2


def test_no_halo_stands_beside_an_edge() -> None:
    """The same value is the same everywhere beside an edge, however near to it."""
    image = torch.full((1, 3, 128, 256), 0.2)
    image[..., 128:] = 0.6
    made = through(enhancer(), image)
    for side in (made[0, 1, 64, 64:128], made[0, 1, 64, 128:192]):
        assert side.max() - side.min() < 0.03
        assert side.diff().abs().max() < 0.002
