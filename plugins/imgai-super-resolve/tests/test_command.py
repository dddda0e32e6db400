"""The command: sizes, alpha, depth, what is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

CAT = skimage.data.chelsea()[80:140, 150:230]


Imgai = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def imgai(python: str) -> Imgai:
    def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([python, "-m", "imgai", *map(str, arguments)], capture_output=True, text=True)

    return call


def test_pictures_of_every_kind_reach_their_size(imgai: Imgai, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    alpha = np.zeros(CAT.shape[:2], np.uint8)
    alpha[10:50, 10:70] = 255
    Image.fromarray(np.dstack([np.where(alpha[..., None] > 0, CAT, 0), alpha])).save(folder / "cutout.png")
    Image.fromarray(CAT).save(folder / "photo.jpg", quality=95)
    Image.fromarray(CAT[..., 1]).save(folder / "gray.png")
    deep = CAT.astype(np.uint16) * 257
    tifffile.imwrite(folder / "deep.tif", deep, photometric="rgb")
    answer = imgai("super-resolve", folder, "--out", tmp_path / "out", "--scale", "2.5", "--json", "--device", "cpu")
    assert answer.returncode == 0, answer.stderr
    *records, ended = [json.loads(line) for line in answer.stdout.splitlines()]
    assert ended["done"] == 4
    assert {(record["model"], record["params"]["scale"]) for record in records} == {("photo", 2.5)}
    for name, mode in (("cutout.png", "RGBA"), ("photo.jpg", "RGB"), ("gray.png", "L")):
        with Image.open(tmp_path / "out" / name) as image:
            assert (image.size, image.mode) == ((200, 150), mode), name
    made = tifffile.imread(tmp_path / "out" / "deep.tif")
    assert (made.shape, made.dtype) == ((150, 200, 3), np.uint16)
    assert len(np.unique(made % 257)) > 200, "it has more levels than 8 bits hold"
    # The cut-out's edge is of the cat's colours: as without its alpha, and not darkened by what was hidden.
    cutout = np.asarray(Image.open(tmp_path / "out" / "cutout.png")).astype(int)
    photo = np.asarray(Image.open(tmp_path / "out" / "photo.jpg")).astype(int)
    edge = (cutout[..., 3] > 8) & (cutout[..., 3] < 250)
    assert edge.sum() > 300
    assert np.abs(cutout[edge][:, :3].mean(0) - photo[edge].mean(0)).max() < 12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--scale", "2", "--width", "100"), "a size is asked for in one way"),
        (("--scale", "9"), "--scale cannot be 9.0; it takes a number from 1 to 8"),
        (("--model", "fhoto"), "did you mean 'photo'?"),
    ],
)
def test_what_makes_no_sense_is_refused(imgai: Imgai, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    Image.fromarray(CAT).save(tmp_path / "a.png")
    answer = imgai("super-resolve", tmp_path / "a.png", "--out", tmp_path / "out", *options)
    assert answer.returncode == 2
    assert words in " ".join(answer.stderr.replace("│", " ").split())


def test_info_on_a_family_is_of_all_its_members(imgai: Imgai) -> None:
    lines = [json.loads(line) for line in imgai("models", "info", "super-resolve/clean", "--json").stdout.splitlines()]
    assert [(line["name"], line["scale"], line["family"]) for line in lines] == [
        (f"clean-x{scale}", scale, "clean") for scale in (2, 3, 4)
    ]
