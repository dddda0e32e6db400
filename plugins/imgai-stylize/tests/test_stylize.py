"""Styles are told apart, blend, keep to one look across tiles and do not flicker."""

from __future__ import annotations

import dataclasses
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from imgai_stylize import DRAWINGS, MODELS, PAINTINGS, TASK, AnyParams, BuiltInParams, StylizeParams
from imgai_stylize.displacement import bend
from imgai_stylize.drawn import DRAWINGS as DRAWN
from kornia.color import rgb_to_ycbcr
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imgai.testing import Metadata, Sample, Source, Step, UsageError, as_values, load_step, step_of

CPU = torch.device("cpu")
SCANS = Path(__file__).parents[3] / "examples" / "scans"


def stylizer(*styles: str, image: Path | None = None, **params: Any) -> Step:
    model = MODELS[0] if image is None else MODELS[1]
    own = BuiltInParams(style=styles) if image is None else AnyParams(style_image=str(image))
    return load_step(TASK, model, device=CPU, params=StylizeParams(**params), model_params=own)


def picture(name: str = "astronaut", size: tuple[int, int] | None = None) -> Tensor:
    pixels = np.array(Image.open(SCANS / f"{name}.jpg").convert("RGB"))
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    return image if size is None else F.interpolate(image, size, mode="bilinear", antialias=True)


def through(step: Step, image: Tensor) -> Tensor:
    return step(Sample(image, Source(None, "x"), Metadata("PNG"))).image


def test_every_style_is_another() -> None:
    image = picture(size=(256, 256))
    made = {name: through(stylizer(name), image) for name in (*PAINTINGS, *DRAWINGS)}
    for (one, first), (other, second) in combinations({"": image, **made}.items(), 2):
        assert (first - second).abs().mean() > 0.02, (one, other)


def test_the_names_that_are_offered_are_those_that_are_drawn() -> None:
    assert tuple(DRAWN) == DRAWINGS


def test_styles_blend_by_their_weights() -> None:
    image = picture(size=(192, 192))
    plain = through(stylizer("great-wave"), image)
    assert torch.equal(through(stylizer("great-wave:0.3"), image), plain)
    assert torch.equal(through(stylizer("great-wave", "tahiti:0"), image), plain)
    blended = through(stylizer("great-wave:0.5", "tahiti:0.5"), image)
    other = through(stylizer("tahiti"), image)
    for one in (plain, other):
        assert (blended - one).abs().mean() < (plain - other).abs().mean()
    drawn = through(stylizer("great-wave:3", "halftone:1"), image)
    halftone = through(stylizer("halftone", style_scale=1.25), image)  # what is painted is painted at 0.8 of its size
    assert (drawn - (0.75 * plain + 0.25 * halftone)).abs().mean() < 0.01


def test_any_picture_is_a_style() -> None:
    image = picture("coffee", (256, 256))
    red, grey = (through(stylizer(image=SCANS / name), image) for name in ("coffee.jpg", "rocket.jpg"))
    assert (red - grey).abs().mean() > 0.02


def test_a_style_image_that_is_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "style.jpg"
    file.write_text("no picture")
    with pytest.raises(UsageError, match=f"--style-image {file} cannot be read"):
        stylizer(image=file)
    with pytest.raises(UsageError, match="the model any needs a picture for its style; add --style-image FILE"):
        load_step(TASK, MODELS[1], device=CPU, params=StylizeParams(), model_params=AnyParams())


@pytest.mark.parametrize("kind", ["16 bits", "16 bits in planes", "float", "turned"])
def test_a_style_image_is_read_as_an_input_is(tmp_path: Path, kind: str) -> None:
    """As the picture of 8 bits is, to a level or two; of every kind of file that an input may be."""
    import tifffile

    whole = np.array(Image.open(SCANS / "coffee.jpg").convert("RGB").resize((200, 160)))
    Image.fromarray(whole).save(tmp_path / "plain.png")
    file = tmp_path / "style.tif"
    if kind == "float":
        tifffile.imwrite(file, whole.astype(np.float32) / 255, photometric="rgb")
    elif kind == "turned":
        tifffile.imwrite(file, np.rot90(whole), photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    elif kind == "16 bits":
        tifffile.imwrite(file, whole.astype(np.uint16) * 257, photometric="rgb")
    else:
        planes = np.moveaxis(whole.astype(np.uint16) * 257, -1, 0)
        tifffile.imwrite(file, planes, photometric="rgb", planarconfig="separate")
    image = picture("astronaut", (96, 96))
    made, due = (through(stylizer(image=path), image) for path in (file, tmp_path / "plain.png"))
    assert (made - due).abs().mean() < 1 / 255


def test_a_style_image_that_is_a_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    file = tmp_path / "style.png"
    Image.new("1", (30_000, 30_000)).save(file)
    with pytest.raises(UsageError, match="cannot be read: 30000 x 30000 pixels are more than --max-pixels"):
        stylizer(image=file)


def test_a_misspelt_style_is_guessed() -> None:
    with pytest.raises(UsageError, match="did you mean 'starry-night'"):
        as_values(BuiltInParams, {"style": ["stary-night"]})


def test_no_strength_gives_the_very_picture() -> None:
    image = (picture() * 255).to(torch.uint8)
    assert through(stylizer("tahiti", strength=0.0), image) is image
    assert through(stylizer(image=SCANS / "rocket.jpg", strength=0.0), image) is image


def test_a_little_strength_keeps_the_detail_of_a_large_picture() -> None:
    grain = torch.rand((1, 3, 1500, 300), generator=torch.manual_seed(3))
    made = through(stylizer("pencil", strength=0.3, style_scale=4.0), grain)
    difference = made.diff(dim=3).flatten() - 0.7 * grain.diff(dim=3).flatten()
    assert difference.abs().mean() < 0.1


def test_colours_can_be_kept() -> None:
    image = picture(size=(256, 256))
    kept = rgb_to_ycbcr(through(stylizer("starry-night", keep_colors=True), image))
    changed = rgb_to_ycbcr(through(stylizer("starry-night"), image))
    true = rgb_to_ycbcr(image)
    errors = [float((found - true)[:, 1:].abs().mean()) for found in (kept, changed)]
    assert errors[0] < 0.25 * errors[1]
    assert (kept - true)[:, 0].abs().mean() > 0.05


def test_a_small_picture_gets_larger_strokes_too() -> None:
    image = picture(size=(256, 256))
    for style in ("starry-night", "pencil"):
        fine, coarse = (through(stylizer(style, style_scale=scale), image) for scale in (1.0, 2.0))
        assert coarse.diff(dim=3).abs().mean() < 0.8 * fine.diff(dim=3).abs().mean()


def test_strokes_are_as_large_as_asked() -> None:
    """Strokes twice as large have edges half as often."""
    image = picture(size=(512, 512))
    fine, coarse = (through(stylizer("starry-night", style_scale=scale), image) for scale in (2.5, 6.0))
    assert coarse.diff(dim=3).abs().mean() < 0.75 * fine.diff(dim=3).abs().mean()


@pytest.mark.parametrize("style", ["great-wave", "olive-trees"])
def test_strokes_on_an_even_area_lie_on_no_lattice(style: str) -> None:
    """In the spectrum the strongest period is not far above its neighbours: 15 to 25 times in noise, 200 in a grid."""
    y, x = np.indices((384, 384))
    levels = 128 + 40 * np.sin(y / 160) * np.cos(x / 190)
    grain = np.random.default_rng(0).normal(0, 1.5, (384, 384, 3))
    field = torch.from_numpy((levels[..., None] + grain).round().astype(np.uint8)).permute(2, 0, 1)[None]
    made = through(stylizer(style), field)[0].mean(0).numpy()
    window = np.hanning(384)
    power = np.abs(np.fft.fftshift(np.fft.fft2((made - made.mean()) * window[:, None] * window))) ** 2
    radius = np.hypot(*(np.indices(power.shape) - 192)).round()
    rings = [power[radius == ring] for ring in range(384 // 32, 384 // 4)]
    assert max(ring.max() / np.median(ring) for ring in rings) < 50


@pytest.mark.parametrize("place", [(0.0, 0.0), (96.0, 160.0)])
def test_what_is_bent_comes_back_to_its_place(place: tuple[float, float]) -> None:
    bent = bend(200, 260, *place, CPU)
    ramp = torch.arange(260.0) / 260
    for image in (ramp.expand(1, 3, 200, 260), ramp[:200, None].expand(1, 3, 200, 260)):
        inner = (..., slice(16, -16), slice(16, -16))
        moved = (bent.there(image) - image)[inner].abs().max() * 260
        left = (bent.back(bent.there(image)) - image)[inner].abs().max() * 260
        assert moved > 3
        assert left < 0.3  # of a pixel


@pytest.mark.parametrize("style", ["starry-night", *DRAWINGS])
def test_tiles_have_one_style_and_no_seam(style: str) -> None:
    image = picture(size=(1000, 200))
    step = stylizer(style)
    model = dataclasses.replace(step.model, overlap=200)
    tiled, whole = (step_of(TASK, model, step.predictor, device=CPU, tile=tile) for tile in (520, 1280))
    difference = (through(tiled, image) - through(whole, image)).abs()
    assert difference.max() < 6 / 255
    assert difference.mean() < 0.2 / 255


@pytest.mark.parametrize("style", ["starry-night", "great-wave", "watercolour"])
def test_frames_do_not_flicker_more_than_their_grain(style: str) -> None:
    frame, step = picture(size=(320, 320)), stylizer(style)
    generator = torch.manual_seed(4)
    frames = [(frame + 0.02 * torch.randn(frame.shape, generator=generator)).clamp(0, 1) for _ in range(3)]
    painted = [through(step, each) for each in frames]
    flicker = [float(np.mean([(a - b).abs().mean() for a, b in pairwise(those)])) for those in (frames, painted)]
    assert flicker[1] <= flicker[0]


def test_a_little_strength_leaves_the_pictures_own_detail() -> None:
    image = picture()
    made = through(stylizer("starry-night", strength=0.01), image)
    assert (made - image).abs().max() < 0.02
