"""One photograph in five colour spaces looks alike after every task that makes pictures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

import imgai
from imgai.images import icc, make_sample, write_image
from imgai.sample import Metadata, Source

PHOTOGRAPH = Path(__file__).parents[2] / "examples" / "scans" / "coffee.jpg"
WITHIN = 3.0  # of 255
D50 = (0.3457, 0.3585)


class Space(NamedTuple):
    primaries: tuple[tuple[float, float], ...]
    curve: tuple[float, ...]
    white: tuple[float, float] = icc.D65

    @property
    def profile(self) -> bytes:
        return icc.build(self.primaries, self.curve, white=self.white)

    @property
    def from_srgb(self) -> np.ndarray:
        return np.asarray(np.linalg.inv(icc.to_xyz(self.primaries, self.white)) @ icc.to_xyz(icc.SRGB_PRIMARIES))


SRGB = Space(icc.SRGB_PRIMARIES, icc.SRGB_CURVE)
SPACES = {
    "Adobe RGB": Space(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (2.19921875,)),
    "Display P3": Space(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), icc.SRGB_CURVE),
    "ProPhoto": Space(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (1.8,), D50),
    "linear Rec. 2020": Space(((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), (1.0,)),
}


def light(space: Space, values: np.ndarray) -> np.ndarray:
    if len(space.curve) == 1:
        return np.asarray(values ** space.curve[0])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def stored(space: Space, values: np.ndarray) -> np.ndarray:
    values = values.clip(0, 1)
    if len(space.curve) == 1:
        return np.asarray(values ** (1 / space.curve[0]))
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def written(space: Space, srgb: np.ndarray, depth: int) -> np.ndarray:
    """sRGB in a space, at a depth. Shape: ``(H, W, 3)`` in [0, 1] to uint8 or uint16"""
    values = stored(space, np.einsum("ij,hwj->hwi", space.from_srgb, light(SRGB, srgb)))
    return (values * (2**depth - 1)).round().astype(np.uint8 if depth == 8 else np.uint16)


def read(space: Space, pixels: np.ndarray) -> np.ndarray:
    """The other way round."""
    values = light(space, pixels / np.iinfo(pixels.dtype).max)
    return stored(SRGB, np.einsum("ij,hwj->hwi", np.linalg.inv(space.from_srgb), values))


@cache
def photograph() -> np.ndarray:
    return np.asarray(Image.open(PHOTOGRAPH).crop((220, 120, 276, 168))) / 255


@cache
def chain(step: str) -> imgai.Chain:
    return imgai.load(step, machine=imgai.Machine(device="cpu", precision="fp32"))


@cache
def after(step: str, name: str, depth: int, folder: Path) -> np.ndarray:
    """What a step makes of the photograph in a space, in sRGB. Shape: ``(H, W, 3)`` in [0, 1]"""
    space = SPACES.get(name, SRGB)
    return read(space, taken(step, name, written(space, photograph(), depth), folder))


def taken(step: str, name: str, pixels: np.ndarray, folder: Path) -> np.ndarray:
    """What a step makes of a file with these pixels in a space. Shape: ``(H, W, 3)`` uint8 or uint16, to the same"""
    depth = 8 * pixels.dtype.itemsize
    metadata = Metadata("TIFF", depth=depth, icc=None if name == "sRGB" else SPACES[name].profile)
    path = folder / "x.tif"
    with path.open("wb") as file:
        write_image([make_sample(pixels, None, Source(None, "x"), metadata)], file, "TIFF")
    image = chain(step)(path).sample.image[0].permute(1, 2, 0).numpy()
    assert image.dtype == pixels.dtype  # written as it was read
    return np.asarray(image)


def lost(space: Space, srgb: np.ndarray, depth: int) -> float:
    """By how much of 255 pixels change that are written in a space, and read again."""
    return float(np.abs(read(space, written(space, srgb, depth)) - srgb).max() * 255)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("step", ["enhance", "denoise", "super-resolve --scale 2", "stylize --style starry-night"])
def test_in_16_bits_every_space_gives_what_srgb_gives(step: str, name: str, tmp_path: Path) -> None:
    difference = np.abs(after(step, name, 16, tmp_path) - after(step, "sRGB", 16, tmp_path)) * 255
    assert difference.max() < WITHIN


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("step", ["enhance", "super-resolve --scale 2"])
def test_in_8_bits_no_more_is_lost_than_8_bits_cost(step: str, name: str, tmp_path: Path) -> None:
    due = after(step, "sRGB", 8, tmp_path)
    cost = lost(SPACES[name], photograph(), 8) + lost(SPACES[name], due, 8)
    assert np.abs(after(step, name, 8, tmp_path) - due).max() * 255 < WITHIN + cost


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("step", ["denoise", "stylize --style starry-night"])
def test_in_8_bits_the_answer_is_that_of_the_same_colours_in_srgb(step: str, name: str, tmp_path: Path) -> None:
    """To one level of the file's own, of a painting to two: it enlarges what differs.

    All else that differs is what 8 bits in a wide space leave of the photograph.
    """
    space = SPACES[name]
    given = written(space, photograph(), 8)
    same = (read(space, given) * 65535).round().astype(np.uint16)
    due = written(space, read(SRGB, taken(step, "sRGB", same, tmp_path)), 8)
    most = 2 if step.startswith("stylize") else 1
    assert np.abs(taken(step, name, given, tmp_path).astype(int) - due).max() <= most


def test_what_is_made_small_for_a_network_is_not_rounded_to_8_bits_again() -> None:
    from imgai.images.depth import to_float
    from imgai.images.resize import resize_finely

    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, 3, 600, 501), generator=generator, dtype=torch.uint8)
    due = torch.nn.functional.interpolate(to_float(image), (480, 401), mode="bilinear", antialias=True)
    assert (resize_finely(image, (480, 401)) - due).abs().max() < 1e-5
    gray = image[:, :1].expand(-1, 3, -1, -1)
    assert resize_finely(gray, (480, 401)).stride(1) == 0
