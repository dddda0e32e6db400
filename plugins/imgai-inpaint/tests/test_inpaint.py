"""What inpaint promises, on pictures that come with scikit-image."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import imgai_inpaint
import numpy as np
import pytest
import torch
from imgai_inpaint.fill import smooth_fill
from imgai_inpaint.network import InpaintNet, load
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file, save_file
from skimage import data
from torch import Tensor

from imgai.plugin import LoadContext
from imgai.testing import GivenMask, Metadata, Sample, Source, Step, load_step, step_of, weights_file

CPU = torch.device("cpu")
LEVEL = 1 / 255
SCENES = [("astronaut", 20, 130), ("chelsea", 60, 120), ("coffee", 100, 200)]


@cache
def loaded() -> Step:
    return load_step(imgai_inpaint.TASK, imgai_inpaint.SMALL, device=CPU)


def picture(name: str, top: int = 0, left: int = 0, height: int = 192, width: int = 192) -> Tensor:
    """Part of a picture of scikit-image. Shape: ``(1, 3, H, W)`` uint8"""
    array: NDArray[np.uint8] = getattr(data, name)()[top : top + height, left : left + width, :3]
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None]


def writing(height: int, width: int) -> Tensor:
    """A mask of text and a few scratches. Shape: ``(1, 1, H, W)`` bool"""
    drawn = Image.new("L", (width, height))
    pen = ImageDraw.Draw(drawn)
    pen.multiline_text((4, 20), "All that is\nwritten here\nis to go", 255, font=ImageFont.load_default(30))
    pen.line((0, height - 5, width, height // 2), 255, 3)
    pen.line((width // 3, 0, width // 2, height), 255, 2)
    return torch.from_numpy(np.asarray(drawn) > 127)[None, None]


def fill(image: Tensor, mask: Tensor, step: Step | None = None, *, depth: int = 8, gray: bool = False) -> Sample:
    sample = Sample(image, Source(None, "picture"), Metadata("PNG", depth=depth, gray=gray))
    sample.given["inpaint"] = GivenMask(mask)
    return (step or loaded())(sample)


def inside(one: Tensor, other: Tensor, mask: Tensor) -> float:
    """Peak signal-to-noise ratio in the mask (dB); bytes count as levels of 255."""
    first, second = (x.float() / 255 if x.dtype == torch.uint8 else x for x in (one, other))
    return float(-10 * torch.log10(((first - second)[..., mask[0, 0]]).square().mean()))


@pytest.mark.parametrize(("name", "top", "left"), SCENES)
def test_text_and_scratches_are_filled_better_than_smoothly(name: str, top: int, left: int) -> None:
    clean, mask = picture(name, top, left), writing(192, 192)
    made = fill(clean.masked_fill(mask, 255), mask).image
    smooth = smooth_fill(clean.float() / 255, mask.float())
    assert inside(made, clean, mask) > inside(smooth, clean, mask) + 2
    assert torch.equal(made[..., ~mask[0, 0]], (clean.float() / 255)[..., ~mask[0, 0]])


def test_an_edge_goes_on_through_a_scratch() -> None:
    clean = torch.full((1, 3, 96, 96), 40, dtype=torch.uint8)
    clean[..., 48:, :] = 200
    mask = torch.zeros(1, 1, 96, 96, dtype=torch.bool)
    mask[..., 44:50] = True
    made = fill(clean, mask).image
    assert (made - clean / 255).abs().mean(1)[0, [20, 40, 56, 76], 44:50].max() < 12 * LEVEL


def test_a_flat_picture_stays_flat() -> None:
    mask = writing(96, 160)
    for level in (0, 1, 127, 254, 255):
        image = torch.full((1, 3, 96, 160), level, dtype=torch.uint8)
        assert (fill(image, mask).image - level / 255).abs().max() < 2 * LEVEL


def test_a_hole_that_is_larger_than_a_tile_is_filled_with_what_is_around() -> None:
    image = torch.full((1, 3, 300, 400), 150, dtype=torch.uint8)
    mask = torch.zeros(1, 1, 300, 400, dtype=torch.bool)
    mask[..., 20:, 30:390] = True
    assert (fill(image, mask).image - 150 / 255).abs().max() < 40 * LEVEL


def test_tiles_leave_no_seam() -> None:
    declared = imgai_inpaint.SMALL
    clean = torch.cat((picture("astronaut", 0, 0, 256, 256), picture("coffee", 0, 0, 256, 256)), dim=-1)
    clean = clean[..., : 2 * 256 - declared.overlap]  # two tiles that share no more than is declared
    mask = writing(256, 256).repeat(1, 1, 1, 2)[..., : clean.shape[-1]]
    step = loaded()
    tiled, whole = (
        fill(clean, mask, step_of(step.task, declared, step.predictor, device=CPU, tile=tile)).image
        for tile in (256, 512)
    )
    assert 0 < (tiled - whole).abs().max() < 4 * LEVEL


def test_16_bits_stay_16_bits() -> None:
    ramp = torch.linspace(20000, 22000, 160).round().to(torch.int32)  # 8 levels of an 8-bit picture
    image = ramp.to(torch.uint16).expand(1, 3, 64, 160).contiguous()
    mask = torch.zeros(1, 1, 64, 160, dtype=torch.bool)
    mask[..., 20:28, :] = True
    made = fill(image, mask, depth=16).image
    row = (made[0, 1, 24] * 65535).round()
    assert (row - ramp).abs().max() < 257
    assert len(row.unique()) > 80


def test_grey_stays_grey() -> None:
    grey = picture("astronaut", 20, 130, 96, 96)[:, :1].expand(1, 3, -1, -1)
    made = fill(grey, writing(96, 96), gray=True).image
    assert torch.equal(made[:, 0], made[:, 1])
    assert torch.equal(made[:, 0], made[:, 2])


def test_a_smooth_fill_keeps_what_is_known_and_closes_every_hole() -> None:
    random = torch.rand(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, 50, 70)
    mask[0, :, 5:45, 5:65] = 1
    mask[1] = 1
    filled = smooth_fill(random, mask)
    assert torch.equal(filled[0] * (1 - mask[0]), random[0] * (1 - mask[0]))
    assert float(filled[0].min()) > -1e-6
    assert float(filled[0].max()) < 1 + 1e-6
    assert torch.allclose(filled[1], torch.tensor(0.5))


def test_declarations_match_the_network_and_the_file() -> None:
    declared = imgai_inpaint.SMALL
    assert declared.weights is not None
    path = weights_file(declared.weights)
    state = load_file(path)
    assert declared.parameters == sum(value.numel() for value in state.values())
    assert state.keys() == InpaintNet().state_dict().keys()
    assert all(value.dtype == torch.float16 and value.isfinite().all() for value in state.values())
    assert hashlib.sha256(path.read_bytes()).hexdigest() in path.with_suffix(".md").read_text(encoding="utf-8")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its weights"):
        load(LoadContext(model=imgai_inpaint.SMALL, device=CPU, weights=None))
    file = tmp_path / "other.safetensors"
    save_file({**InpaintNet().state_dict(), "stem.weight": torch.zeros(4, 4)}, file)
    with pytest.raises(ValueError, match=r"other\.safetensors does not hold the weights of small"):
        load(LoadContext(model=imgai_inpaint.SMALL, device=CPU, weights=file))
