"""What the denoisers promise, on pictures that come with scikit-image."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import imgai_denoise
import numpy as np
import pytest
import simplejpeg
import torch
import torch.nn.functional as F
from imgai_denoise import network as photo
from imgai_denoise.ffdnet import BlindFFDNet
from imgai_denoise.network import STEADY, DenoiseNet, Denoiser, load, steadied
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from skimage import data
from torch import Tensor

from imgai.plugin import LoadContext, Model
from imgai.testing import Metadata, PluginError, Sample, Source, Step, load_step, step_of, weights_file

MODELS = {model.name: model for model in imgai_denoise.MODELS}
NETWORKS = {"photo": DenoiseNet, "gaussian": BlindFFDNet}
CPU = torch.device("cpu")
LEVEL = 1 / 255
LOADED: dict[tuple[str, float], Step] = {}


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def loaded(model: str, strength: float = 1.0) -> Step:
    """A model, loaded once."""
    key = (model, strength)
    if key not in LOADED:
        params = imgai_denoise.DenoiseParams(strength=strength)
        LOADED[key] = load_step(imgai_denoise.TASK, MODELS[model], params=params, device=CPU)
    return LOADED[key]


def sample_of(image: Tensor, *, depth: int = 8, gray: bool = False) -> Sample:
    return Sample(image, Source(None, "picture"), Metadata("PNG", depth=depth, gray=gray))


def picture(name: str, top: int = 0, left: int = 0, height: int = 192, width: int = 192) -> Tensor:
    """Part of a picture of scikit-image. Shape: ``(1, 3, H, W)`` uint8"""
    array: NDArray[np.uint8] = getattr(data, name)()[top : top + height, left : left + width, :3]
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None]


def with_noise(image: Tensor, sigma: float, *, grain: float = 0.0, seed: int = 0) -> Tensor:
    """As a file with noise of a standard deviation (of 255); grain: the sigma in pixels that it is blurred by."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    if grain:
        at = torch.arange(-4, 5).float()
        kernel = torch.exp(-at.square() / (2 * grain**2))
        kernel = (kernel[:, None] * kernel).expand(3, 1, 9, 9)
        noise = F.conv2d(noise, kernel, padding=4, groups=3)
        noise = noise / noise.std()
    return (image.float() + sigma * noise).round().clamp(0, 255).byte()


def psnr(one: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio in dB; bytes count as levels of 255."""
    first, second = (x.float() / 255 if x.dtype == torch.uint8 else x for x in (one, other))
    return float(-10 * torch.log10((first - second).square().mean()))


SCENES = [("astronaut", 20, 130), ("chelsea", 60, 120), ("coffee", 100, 200)]


@pytest.mark.parametrize(("name", "top", "left"), SCENES)
def test_white_noise_is_taken_out(name: str, top: int, left: int) -> None:
    clean = picture(name, top, left)
    noisy = with_noise(clean, 25)
    assert psnr(loaded("gaussian")(sample_of(noisy)).image, clean) > psnr(noisy, clean) + 6


def test_the_level_of_the_noise_is_found_by_the_model() -> None:
    clean = picture("astronaut", 20, 130)
    gains = [
        psnr(loaded("gaussian")(sample_of(noisy)).image, clean) - psnr(noisy, clean)
        for noisy in (with_noise(clean, sigma) for sigma in (5, 15, 25, 50))
    ]
    assert gains == sorted(gains)
    assert gains[0] > 1


def test_gaussian_says_the_same_of_a_picture_upside_down() -> None:
    noisy = with_noise(picture("coffee", 100, 200), 25)
    for name, alike in (("gaussian", True), ("photo", False)):
        one, other = (loaded(name)(sample_of(x)).image for x in (noisy, noisy.flip(2, 3).contiguous()))
        assert ((one - other.flip(2, 3)).abs().max() < 1e-4) == alike, name


@pytest.mark.parametrize(("name", "top", "left"), SCENES)
def test_camera_grain_is_taken_out(name: str, top: int, left: int) -> None:
    clean = picture(name, top, left)
    noisy = with_noise(clean, 8, grain=0.6)
    assert psnr(loaded("photo")(sample_of(noisy)).image, clean) > psnr(noisy, clean) + 2


@pytest.mark.parametrize(("name", "top", "left"), SCENES)
def test_a_clean_picture_is_left_alone(name: str, top: int, left: int) -> None:
    clean = picture(name, top, left)
    assert psnr(loaded("photo")(sample_of(clean)).image, clean) > 36


def test_strength_0_keeps_every_bit(model: str) -> None:
    step = loaded(model, 0.0)
    for depth, dtype in ((8, torch.uint8), (16, torch.uint16)):
        values = np.random.default_rng(0).integers(0, 2**depth, (1, 3, 37, 53))
        image = torch.from_numpy(values.astype(f"uint{depth}"))
        result = step(sample_of(image, depth=depth))
        assert result.image.dtype == dtype
        assert torch.equal(result.image.to(torch.int32), image.to(torch.int32))
        assert not result.edited


def test_strength_blends(model: str) -> None:
    # Away from black and white, where neither answer is cut.
    noisy = with_noise((picture("chelsea", 60, 120, 96, 96).float() * 0.4 + 76).byte(), 10)
    full = loaded(model)(sample_of(noisy)).image
    half = loaded(model, 0.5)(sample_of(noisy)).image
    torch.testing.assert_close(half, (noisy.float() / 255 + full) / 2, atol=1e-5, rtol=0)
    assert (full - noisy / 255).abs().max() > 10 * LEVEL


def test_grey_stays_grey(model: str) -> None:
    grey = with_noise(picture("astronaut", 20, 130, 96, 96), 12)[:, :1].expand(1, 3, -1, -1)
    result = loaded(model)(sample_of(grey, gray=True)).image
    assert result.shape == grey.shape
    assert torch.equal(result[:, 0], result[:, 1])
    assert torch.equal(result[:, 0], result[:, 2])


def test_a_16_bit_ramp_gets_no_bands(model: str) -> None:
    height, width = 64, 768
    ramp = torch.linspace(20000, 22000, width).round().to(torch.int32)  # 8 levels of an 8-bit picture
    image = ramp.to(torch.uint16).expand(1, 3, height, width).contiguous()
    result = loaded(model)(sample_of(image, depth=16)).image
    assert (result - ramp / 65535).abs().max() < LEVEL
    row = (result[0, 1, height // 2] * 65535).round().to(torch.int32)
    assert len(row.unique()) > len(ramp.unique()) / 2
    # A band of 8 bits would be a step of 257 after 96 pixels of nothing.
    assert row.diff().abs().max() < 257 / 2
    means = row[:-32].view(-1, 32).double().mean(1)
    assert means.diff().min() > 0


def test_tiles_leave_no_seam(model: str) -> None:
    # Two tiles that share no more than is declared: the worst case.
    declared = MODELS[model]
    clean = torch.cat((picture("astronaut", 0, 0, 256, 512), picture("coffee", 0, 0, 256, 512)), dim=-1)
    noisy = with_noise(clean[..., : 2 * 512 - declared.overlap], 15, grain=0.6)
    step = loaded(model)
    tiled, whole = (
        step_of(step.task, declared, step.predictor, device=CPU, tile=tile)(sample_of(noisy)).image
        for tile in (512, 1024)
    )
    assert 0 < (tiled - whole).abs().max() < LEVEL


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (61, 35)])
def test_any_size_is_taken(model: str, size: tuple[int, int]) -> None:
    image = with_noise(picture("coffee", 100, 200, *size), 5)
    result = loaded(model)(sample_of(image)).image
    assert result.shape == image.shape
    assert (result - image / 255).abs().mean() < 20 * LEVEL


def test_a_flat_picture_stays_flat(model: str) -> None:
    for level in (0, 1, 127, 254, 255):
        image = torch.full((1, 3, 64, 64), level, dtype=torch.uint8)
        assert (loaded(model)(sample_of(image)).image - level / 255).abs().max() < 1.5 * LEVEL


@pytest.mark.parametrize("sigma", [3, 10, 25, 50])
@pytest.mark.parametrize(("name", "top", "left"), SCENES)
def test_the_level_is_estimated(name: str, top: int, left: int, sigma: int) -> None:
    network = loaded("gaussian").predictor.network
    assert isinstance(network, Denoiser)
    assert isinstance(network.noise, BlindFFDNet)
    noise = torch.randn((1, 3, 192, 192), generator=torch.Generator().manual_seed(1)) * sigma
    noisy = (picture(name, top, left).float() * 0.5 + 64 + noise) / 255
    with torch.inference_mode():
        level = network.noise.level(F.pixel_unshuffle(noisy, 2)) * 255
    assert sigma - 2 < level.mean() < sigma * 1.1 + 2


def test_the_level_is_found_where_it_is() -> None:
    """Noise in one half of a picture alone: the other half stays sharp."""
    clean = torch.cat((picture("astronaut", 0, 0, 256, 256), picture("coffee", 0, 0, 256, 256)), dim=-1)
    noisy = clean.clone()
    noisy[..., :256] = with_noise(clean[..., :256], 40)
    made = loaded("gaussian")(sample_of(noisy)).image
    assert psnr(made[..., 384:], clean[..., 384:]) > 38
    assert psnr(made[..., :128], clean[..., :128]) > psnr(noisy[..., :128], clean[..., :128]) + 8


def test_noise_moves_the_colour_of_an_area_no_further_than_by_its_own_strength() -> None:
    """A warp of threads is no blotch: what has a mean over an area where there is little grain is the picture's own."""
    grain = torch.randn(1, 3, 160, 160, generator=torch.Generator().manual_seed(0)) * 4 / 255
    torch.testing.assert_close(steadied(grain + 1 / 255), grain + 1 / 255, atol=1e-5, rtol=0)
    shade = torch.tensor([6 / 255, -6 / 255, 0]).view(1, 3, 1, 1)
    left = steadied(grain + shade)
    most = STEADY * 4 / 255
    torch.testing.assert_close(left.mean((0, 2, 3)), torch.tensor([most, -most, 0]), atol=0.15 * most, rtol=0)
    torch.testing.assert_close(left - left.mean((2, 3), keepdim=True), grain, atol=0.4 / 255, rtol=0)


def test_the_cloth_of_a_picture_keeps_its_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = with_noise(picture("coffee", 100, 200, 256, 256), 2)[0].permute(1, 2, 0).contiguous().numpy()
    file = simplejpeg.encode_jpeg(noisy, quality=90, colorsubsampling="420")
    cloth = torch.from_numpy(simplejpeg.decode_jpeg(file)).permute(2, 0, 1)[None].float() / 255
    moved = []
    for most in (STEADY, 1e9):
        monkeypatch.setattr(photo, "STEADY", most)
        with torch.inference_mode():
            made = loaded("photo").predictor.network(cloth)
        moved.append(float(photo.area_mean(made - cloth).abs().max()))
    assert moved[0] < 0.85 * moved[1]


def test_brightness_scales_the_answer() -> None:
    """A network without biases and with rectifiers alone answers half a picture with half the noise."""
    network = loaded("photo").predictor.network
    x = with_noise(picture("chelsea", 60, 120, 64, 64), 10) / 255
    with torch.inference_mode():
        torch.testing.assert_close(network(x / 2), network(x) / 2, atol=1e-5, rtol=0)


def test_declarations_match_the_network_and_the_file(model: str) -> None:
    declared = MODELS[model]
    assert declared.weights is not None
    path = weights_file(declared.weights)
    state = load_file(path)
    assert declared.parameters == sum(value.numel() for value in state.values())
    assert state.keys() == NETWORKS[model]().state_dict().keys()
    assert all(value.dtype == torch.float16 and value.isfinite().all() for value in state.values())
    assert hashlib.sha256(path.read_bytes()).hexdigest() in path.with_suffix(".md").read_text(encoding="utf-8")


def test_weights_are_asked_for(model: str) -> None:
    with pytest.raises(ValueError, match=f"the {model} denoiser needs its weights"):
        load(LoadContext(model=MODELS[model], device=CPU, weights=None))


def other_shape(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "stem.weight": torch.zeros(4, 4)}


def other_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {re.sub("^stem", "root", name): value for name, value in state.items()}


@pytest.mark.parametrize("change", [other_shape, other_names])
def test_weights_of_another_network_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> None:
    file = tmp_path / "other.safetensors"
    save_file(change(DenoiseNet().state_dict()), file)
    declared = MODELS["photo"]
    with pytest.raises(ValueError, match=r"other\.safetensors does not hold the weights of the photo denoiser"):
        load(LoadContext(model=declared, device=CPU, weights=file))
    bad = Model(name="bad", task="denoise", summary="Bad.", license="Apache-2.0", load=declared.load)
    with pytest.raises(PluginError, match="needs its weights"):
        load_step(imgai_denoise.TASK, bad, params=imgai_denoise.DenoiseParams(), device=CPU)


def test_noise_of_nothing_is_nothing() -> None:
    torch.manual_seed(0)
    network = Denoiser(DenoiseNet())
    assert torch.equal(network(torch.zeros(1, 3, 16, 24)), torch.zeros(1, 3, 16, 24))
