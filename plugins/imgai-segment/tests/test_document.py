"""The `document` model on pages that are drawn here with Pillow's own font."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from imgai_segment.document import DocumentNet, load
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imgai.plugin import LoadContext, Model, Predictor

SIDE = 384
MODEL = Model(
    name="document",
    task="segment",
    summary="ink",
    license="Apache-2.0",
    load="imgai_segment.document:load",
    multiple_of=32,
)
TEXT = "The quick brown fox\njumps over the lazy dog;\n1234567890 pages of ink\nagainst yellowed paper."


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    weights = Path(str(files("imgai_segment") / "weights" / "document.safetensors"))
    return load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=weights))


def ink_of(predictor: Predictor, image: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probability of ink, (H, W), of a picture (H, W, 3) in [0, 1], through 8 bits as from a file."""
    bits = np.round(np.clip(image, 0, 1) * 255).astype(np.float32) / 255
    x = torch.from_numpy(bits).permute(2, 0, 1)[None]
    with torch.inference_mode():
        found: NDArray[np.float32] = predictor.postprocess(predictor.network(predictor.preprocess(x)))[0, 0].numpy()
    return found


def cover_of_page(size: int) -> NDArray[np.float64]:
    """How far ink covers each pixel, (SIDE, SIDE) in [0, 1]: four lines of text, drawn four times as large."""
    page = Image.new("L", (4 * SIDE, 4 * SIDE))
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(4 * size)
    draw.multiline_text((60, 100), TEXT, font=font, fill=255, spacing=4 * size)
    return np.asarray(page.reduce(4), np.float64) / 255


def f_measure(ink: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    return float(2 * (ink & mask).sum() / (ink.sum() + mask.sum()))


def shade() -> NDArray[np.float64]:
    """Light from 1 at the left to 0.2 at the right, (1, SIDE, 1)."""
    return np.linspace(1, 0.2, SIDE)[None, :, None]


@pytest.mark.parametrize("size", [22, 32])
@pytest.mark.parametrize(
    ("paper", "ink"),
    [((0.95, 0.95, 0.95), (0.1, 0.1, 0.1)), ((0.9, 0.8, 0.6), (0.4, 0.25, 0.15)), ((0.6, 0.8, 0.9), (0.1, 0.15, 0.5))],
    ids=["black on white", "brown on yellow", "blue on blue"],
)
def test_text_under_a_strong_shadow_is_found(
    predictor: Predictor, size: int, paper: tuple[float, ...], ink: tuple[float, ...]
) -> None:
    cover = cover_of_page(size)[..., None]
    page = (np.array(paper) * (1 - cover) + np.array(ink) * cover) * shade()
    found = ink_of(predictor, page) > 0.5
    assert f_measure(found, cover[..., 0] >= 0.5) > 0.9
    # One threshold for the whole page cannot do it: the paper in the shadow is as dark as the ink in the light.
    levels = [f_measure(page.mean(-1) < level, cover[..., 0] >= 0.5) for level in np.linspace(0.05, 0.95, 19)]
    assert max(levels) < 0.9


def test_bare_paper_has_no_ink(predictor: Predictor) -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (SIDE, SIDE, 3))
    page = np.array([0.9, 0.85, 0.75]) * shade() + noise
    page[:, SIDE // 2 :] *= 0.6  # the hard edge of a shadow is not ink either
    assert (ink_of(predictor, page) > 0.5).mean() < 0.002


def test_bleed_through_is_not_ink(predictor: Predictor) -> None:
    cover = cover_of_page(24)
    behind = np.asarray(
        Image.fromarray((cover[::-1, ::-1] * 255).astype(np.uint8)).resize((SIDE // 2, SIDE // 2)).resize((SIDE, SIDE))
    )
    page = np.full((SIDE, SIDE, 3), 0.9) * (1 - 0.15 * behind[..., None] / 255) * (1 - 0.85 * cover[..., None])
    found = ink_of(predictor, page) > 0.5
    assert f_measure(found, cover >= 0.5) > 0.9


def test_shape_and_range(predictor: Predictor) -> None:
    x = torch.rand(2, 3, 64, 96)
    found = predictor.postprocess(predictor.network(predictor.preprocess(x)))
    assert found.shape == (2, 1, 64, 96)
    assert found.dtype == torch.float32
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    # Every level of 8 bits, black and white among them, is taken.
    levels = (torch.arange(256) / 255).reshape(1, 1, 16, 16).repeat(1, 3, 2, 2)
    assert torch.isfinite(predictor.network(predictor.preprocess(levels))).all()


def test_a_tile_sees_what_the_page_sees(predictor: Predictor) -> None:
    page = np.repeat(1 - 0.85 * cover_of_page(22)[..., None], 3, -1) * shade()
    whole, part = ink_of(predictor, page), ink_of(predictor, page[:256, :256])
    inner = np.s_[32:224, 32:224]  # away from the tile's edge the answer is the same but for a few soft pixels
    assert (np.abs(whole[:256, :256][inner] - part[inner]) > 0.25).mean() < 0.005


def test_weights_are_asked_for() -> None:
    with pytest.raises(ValueError, match="weights"):
        load(LoadContext(model=MODEL, device=torch.device("cpu"), weights=None))


def test_network_answers_for_every_pixel() -> None:
    assert DocumentNet().eval()(torch.zeros(1, 3, 32, 64)).shape == (1, 1, 32, 64)
