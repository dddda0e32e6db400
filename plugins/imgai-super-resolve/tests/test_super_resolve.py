"""Larger pictures are better than a filter's, crisp or faithful as asked, and the files open elsewhere."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import imgai_super_resolve
import numpy as np
import pytest
import skimage.data
import torch
from imgai_super_resolve import span, srmd, srvgg
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.plugin import LoadContext, Model
from imgai.testing import Metadata, Sample, Source, Step, declare_torchvision_operators, load_step, weights_file

TASK = imgai_super_resolve.TASK
MODELS = {model.name: model for model in imgai_super_resolve.imgai_register_models()}
SPANS = sorted(name for name in MODELS if name.startswith("faithful"))
TRUE = sorted(name for name in MODELS if not name.startswith("photo"))
"""Those that were trained to invent nothing."""
NETWORKS = {"photo": srvgg, "faithful": span, "clean": srmd}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def step() -> Callable[[str], Step]:
    steps: dict[str, Step] = {}

    def get(name: str) -> Step:
        if name not in steps:
            steps[name] = load_step(TASK, MODELS[name], device=CPU)
        return steps[name]

    return get


def picture(name: str, top: int, left: int, side: int = 192) -> Tensor:
    """Part of one of scikit-image's pictures, ``(1, 3, side, side)`` in [0, 1]."""
    pixels = getattr(skimage.data, name)()[top : top + side, left : left + side]
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def shrunk(image: Tensor, scale: int) -> Tensor:
    small = F.interpolate(image, scale_factor=1 / scale, mode="bicubic", antialias=True)
    return (small.clamp(0, 1) * 255).round() / 255


def bicubic(image: Tensor, scale: int) -> Tensor:
    return F.interpolate(image, scale_factor=scale, mode="bicubic", antialias=True).clamp(0, 1)


def test_eight_orientations_are_truer_than_one(step: Callable[[str], Step]) -> None:
    averaged = load_step(TASK, MODELS["clean-x2"], device=CPU, params=imgai_super_resolve.SuperResolveParams(tta=True))
    gained = []
    for name, top, left in (("astronaut", 0, 150), ("coffee", 100, 200), ("chelsea", 60, 120)):
        truth = picture(name, top, left)
        small = Sample(shrunk(truth, 2), Source(None, "x"), Metadata("PNG"))
        one, eight = (each(small).image for each in (step("clean-x2"), averaged))
        assert eight.shape == truth.shape
        gained.append(float(10 * ((one - truth).square().mean() / (eight - truth).square().mean()).log10()))
    assert np.mean(gained) > 0.02, gained
    # Whichever way a picture is turned, the answer is the same one, turned.
    turned = Sample(torch.rot90(small.image, 1, (2, 3)), small.source, small.metadata)
    assert (torch.rot90(averaged(turned).image, -1, (2, 3)) - eight).abs().max() < 1e-4


def test_models_that_look_twice_say_the_same_of_a_picture_upside_down(step: Callable[[str], Step]) -> None:
    image = shrunk(picture("coffee", 100, 200), 2)
    for name, alike in (("clean-x2", True), ("photo-x4", True), ("clean-x4", False)):
        one, other = run(step(name), image), run(step(name), image.flip(2, 3).contiguous()).flip(2, 3)
        assert ((one - other).abs().max() < 1e-4) == alike, name


def run(step: Step, image: Tensor) -> Tensor:
    return step(Sample(image, Source(None, "x"), Metadata("PNG"))).image


def psnr(image: Tensor, truth: Tensor) -> float:
    difference = (image - truth)[..., 4:-4, 4:-4]
    return float(-10 * torch.log10(difference.square().mean()))


def jpeg(image: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("name", "top", "left"), [("astronaut", 40, 140), ("cat", 60, 130)])
def test_clean_is_better_than_bicubic(step: Callable[[str], Step], scale: int, name: str, top: int, left: int) -> None:
    truth = picture(name, top, left)
    small = shrunk(truth, scale)
    gain = psnr(run(step(f"clean-x{scale}"), small), truth) - psnr(bicubic(small, scale), truth)
    assert gain > GAINS[name][scale], gain


GAINS = {"astronaut": {2: 2.0, 3: 1.3, 4: 1.0}, "cat": {2: 0.5, 3: 0.3, 4: 0.2}}


def spoiled(truth: Tensor, scale: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    small = shrunk(truth, scale)
    return jpeg((small + torch.randn(small.shape, generator=generator) * 5 / 255).clamp(0, 1), 70)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_faithful_is_better_than_bicubic_where_a_picture_was_spoiled(step: Callable[[str], Step], scale: int) -> None:
    truth = picture("astronaut", 40, 140)
    small = spoiled(truth, scale)
    faithful, plain = run(step(f"faithful-x{scale}"), small), bicubic(small, scale)
    assert psnr(faithful, truth) - psnr(plain, truth) > 0.5
    assert psnr(faithful, truth) > psnr(run(step(f"clean-x{scale}"), small), truth), "that is what it is there for"


def steepness(image: Tensor) -> float:
    """Mean absolute difference of neighbouring pixels."""
    return float(image.diff(dim=2).abs().mean() + image.diff(dim=3).abs().mean())


@pytest.mark.parametrize("scale", [2, 4])
def test_photo_is_crisp_where_there_is_detail_and_smooth_where_there_is_none(
    step: Callable[[str], Step], scale: int
) -> None:
    small = jpeg(shrunk(picture("astronaut", 40, 140), scale), 85)
    photo, plain = run(step(f"photo-x{scale}"), small), bicubic(small, scale)
    assert steepness(photo) > CRISP[scale] * steepness(plain)
    gray = spoiled(torch.full((1, 3, 192, 192), 0.5), scale)
    photo, plain = run(step(f"photo-x{scale}"), gray), bicubic(gray, scale)
    assert photo.std() < 0.5 * plain.std(), "the noise is not detail"
    assert (photo.mean((2, 3)) - plain.mean((2, 3))).abs().max() < 2 / 255, "the colour stays"


CRISP = {2: 1.15, 4: 1.2}


@pytest.mark.parametrize("name", TRUE)
def test_edges_have_next_to_no_halo(step: Callable[[str], Step], name: str) -> None:
    """Beside an edge of half the scale, as a sensor sees it (or, for `clean`, its filter), little overshoots."""
    scale = MODELS[name].scale
    for place in range(24 * scale, 25 * scale):  # wherever it lies on the grid of pixels
        truth = torch.full((1, 3, 48 * scale, 48 * scale), 0.25)
        truth[..., place:] = 0.75
        seen = (F.avg_pool2d(truth, scale) * 255).round() / 255 if name.startswith("faithful") else shrunk(truth, scale)
        answer = run(step(name), seen)[0, :, 8:-8, 8:-8]
        assert answer.min() > 0.25 - HALO, place
        assert answer.max() < 0.75 + HALO, place


HALO = 0.07  # the cubic filter's own is 0.036


def test_the_mean_of_two_looks_is_as_crisp_as_one(step: Callable[[str], Step]) -> None:
    small = jpeg(shrunk(picture("chelsea", 60, 120), 2), 85)
    bare = srvgg.load_weights(weights_file(weights_of("photo-x4")), 4)
    bare.twice = False
    with torch.inference_mode():
        once = bare(small).clamp(0, 1)
    assert 0.95 < steepness(run(step("photo-x4"), small)) / steepness(once) < 1.1


@pytest.mark.parametrize("name", ["grass", "gravel"])
def test_no_pattern_follows_the_grid_of_pixels(step: Callable[[str], Step], name: str) -> None:
    """What each of the 4x4 sub-pixels has on average over 12x12 pixels beside its surroundings, in levels of 255."""
    pixels = torch.from_numpy(getattr(skimage.data, name)()).float()[None, None].expand(1, 3, -1, -1) / 255
    answer = run(step("photo-x4"), jpeg(shrunk(pixels, 2), 85)[..., 40:136, 40:136]).mean(1, keepdim=True) * 255
    detail = answer - F.avg_pool2d(answer, 9, 1, 4, count_include_pad=False)
    cells = F.pixel_unshuffle(detail, 4)
    pattern = F.avg_pool2d(cells - cells.mean(1, keepdim=True), 12, 6)
    assert pattern.std(1).mean() < 0.65


@pytest.mark.parametrize("name", sorted(MODELS))
def test_flat_colours_stay_what_they_are(step: Callable[[str], Step], name: str) -> None:
    for color in ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.8, 0.2, 0.4)):
        image = torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, 32, 32)
        answer = run(step(name), image)[..., 16:-16, 16:-16]
        assert (answer - torch.tensor(color).view(1, 3, 1, 1)).abs().max() < SHIFT[name in TRUE] / 255, color


SHIFT = {True: 3, False: 7}  # `photo` has learned some of its teacher's shift


@pytest.mark.parametrize("name", ["photo-x2", "photo-x4", "clean-x4"])
def test_tiles_give_what_the_whole_gives(step: Callable[[str], Step], name: str) -> None:
    image = shrunk(picture("astronaut", 0, 0, 512), 2)[..., :200, :230]
    whole = run(step(name), image)
    tiled = load_step(TASK, MODELS[name], device=CPU, tile=96)
    # The picture's own border apart: there the whole is padded as a tile is.
    assert (run(tiled, image) - whole).abs().max() < 1 / 255


@pytest.mark.parametrize(
    ("module", "name", "network"),
    [(span, "faithful", "SPAN"), (srvgg, "photo", "SRVGGNetCompact"), (srmd, "clean", "SRMD")],
)
def test_an_unknown_file_is_told(tmp_path: Path, module: ModuleType, name: str, network: str) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(RuntimeError, match=rf"other\.safetensors holds no {network}"):
        module.load_weights(tmp_path / "other.safetensors", 2)
    with pytest.raises(RuntimeError, match="size mismatch"):
        module.load_weights(weights_file(weights_of(f"{name}-x2")), 3)
    bare: Model = dataclasses.replace(MODELS[f"{name}-x2"], weights=None)
    with pytest.raises(ValueError, match=f"{name}-x2 needs its weights"):
        module.load(LoadContext(model=bare, device=CPU, weights=None))


def weights_of(name: str) -> imgai_super_resolve.Weights:
    weights = MODELS[name].weights
    assert weights is not None
    return weights


def network_of(name: str) -> nn.Module:
    module = NETWORKS[name.split("-")[0]]
    network: nn.Module = module.load_weights(weights_file(weights_of(name)), MODELS[name].scale)
    return network


@pytest.mark.parametrize("name", SPANS)
def test_the_chain_in_the_file_amounts_to_the_convolution_that_is_run(name: str) -> None:
    state = {key: value.float() for key, value in load_file(weights_file(weights_of(name))).items()}
    chains = [key.removesuffix(".sk.weight") for key in state if key.endswith(".sk.weight")]
    assert len(chains) == 20
    x = torch.rand(1, 3, 9, 9)
    for chain in chains:
        inputs = state[f"{chain}.sk.weight"].shape[1]
        x = torch.rand(1, inputs, 9, 9)
        long = F.pad(x, (1, 1, 1, 1))
        for place in range(3):
            long = F.conv2d(long, state[f"{chain}.conv.{place}.weight"], state[f"{chain}.conv.{place}.bias"])
        long = long + F.conv2d(x, state[f"{chain}.sk.weight"], state[f"{chain}.sk.bias"])
        short = F.conv2d(x, state[f"{chain}.eval_conv.weight"], state[f"{chain}.eval_conv.bias"], padding=1)
        assert torch.allclose(long, short, atol=1e-4), chain


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_parameters_are_as_many_as_declared(name: str) -> None:
    plain = network_of(name)
    assert sum(parameter.numel() for parameter in plain.parameters()) == MODELS[name].parameters


@pytest.mark.skipif(not importlib.util.find_spec("spandrel"), reason="spandrel is not installed")
@pytest.mark.parametrize("name", sorted(name for name in MODELS if not name.startswith("clean")))
def test_the_files_open_elsewhere(name: str) -> None:
    declare_torchvision_operators()
    import spandrel

    theirs = spandrel.ModelLoader().load_from_file(weights_file(weights_of(name)))
    image = picture("cat", 60, 130, 64)
    assert theirs.architecture.id == ("SPAN" if name in SPANS else "Compact")
    assert theirs.scale == MODELS[name].scale
    network = network_of(name)
    network.twice = False  # other programs look once
    with torch.inference_mode():
        ours = network(image).clamp(0, 1)
        assert (theirs(image) - ours).abs().max() < 1e-4
