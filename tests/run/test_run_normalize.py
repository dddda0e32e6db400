"""Pictures of microscopy that use a small part of their scale: what the network, the record and people are shown."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import Tensor

from imgai.outputs import StepContext
from imgai.plugin import Model, Output, Predictor, Task
from imgai.predict.normalize import AUTO, NONE, Normalize, normalize_of
from imgai.predict.step import Step
from imgai.registry import load_registry
from imgai.sample import Metadata, Sample, Source
from imgai.testing import fake, load_step, step_of

SHARED = dataclasses.replace(fake.LIGHTNESS, normalize=(0.2, 0.5))
Y, X = np.mgrid[:160, :160]
INSIDE = np.hypot(Y % 40 - 20, X % 40 - 20) < 9


def step(model: Model = SHARED, normalize: Normalize = AUTO) -> Step:
    predictor = Predictor(network=lambda image: image.mean(dim=1, keepdim=True))
    return Step(fake.FIND_LIGHT, [StepContext(model, predictor, "find-light", normalize=normalize)])


def sample(low: int, high: int, dtype: torch.dtype = torch.uint16) -> Sample:
    values = torch.from_numpy(np.where(INSIDE, high, low).astype(np.int32)).to(dtype)
    depth = 8 if dtype == torch.uint8 else 16
    return Sample(values.expand(3, -1, -1)[None], Source(None, "x"), Metadata("PNG", depth=depth, gray=True))


def seen(result: Sample) -> tuple[float, float]:
    values = result.masks["find-light"].values[0].numpy() / 255
    return float(np.median(values[~INSIDE])), float(np.median(values[INSIDE]))


def test_a_range_that_uses_little_of_the_scale_is_stretched_for_the_network_alone() -> None:
    given = sample(100, 400)
    result = step()(given)
    assert seen(result) == (pytest.approx(0.02, abs=0.01), pytest.approx(0.5, abs=0.01))
    assert torch.equal(result.image.int(), given.image.int())
    assert result.metadata == given.metadata
    assert result.ranges["find-light"].low == pytest.approx(100 / 65535)


@pytest.mark.parametrize(("low", "high", "dtype"), [(100, 30000, torch.uint16), (3, 200, torch.uint8)])
def test_one_that_uses_enough_is_seen_as_it_is(low: int, high: int, dtype: torch.dtype) -> None:
    white = 255 if dtype == torch.uint8 else 65535
    result = step()(sample(low, high, dtype))
    assert seen(result) == (pytest.approx(low / white, abs=0.01), pytest.approx(high / white, abs=0.01))
    assert not result.ranges


def test_the_range_of_the_file_counts_before_that_of_the_page_until_a_step_changes_it() -> None:
    of_file = step()(sample(100, 4000)).ranges["find-light"]
    page = dataclasses.replace(sample(100, 400), range=of_file)
    assert step()(page).ranges["find-light"] == of_file
    assert step()(dataclasses.replace(page, edited=True)).ranges["find-light"] != of_file


def test_a_range_that_is_given_is_in_numbers_of_the_file() -> None:
    result = step(normalize=(0.0, 1000.0))(sample(100, 400))
    assert result.ranges["find-light"].high == pytest.approx(1000 / 65535)
    assert seen(step(normalize=NONE)(sample(100, 400))) == (pytest.approx(0, abs=0.01), pytest.approx(0, abs=0.01))


def test_every_tile_is_stretched_alike() -> None:
    small = step(dataclasses.replace(SHARED, tile=32))(sample(100, 400))
    whole = step(dataclasses.replace(SHARED, tile=256))(sample(100, 400))
    difference = small.masks["find-light"].values.int() - whole.masks["find-light"].values.int()
    assert difference.abs().max() <= 1


def test_a_model_with_an_input_size_and_boxes_sees_the_range_too() -> None:
    def boxes(image: Tensor) -> Tensor:
        return torch.tensor([[[0.1, 0.1, 0.9, 0.9, float(image.max()), 0]]])

    model = dataclasses.replace(fake.EXTENT, normalize=(1.0, 1.0))
    task = Task(name="box-light", summary="Boxes.", default_model="extent", output=Output.BOXES)
    result = step_of(task, model, Predictor(network=boxes))(sample(100, 400))
    assert float(result.boxes["box-light"].values[0, 4]) > 0.9
    assert result.ranges


@pytest.mark.parametrize("text", ["", "5", "5,5", "9,1", "a,b", "nan,1", "0,inf", "1,2,3"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="--normalize cannot be"):
        normalize_of(text)


Imgai = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def imgai(python: str, tmp_path: Path) -> Imgai:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([python, "-m", "imgai", *words], cwd=tmp_path, capture_output=True, text=True)

    return call


def test_sixteen_bits_of_any_camera_are_found_recorded_and_shown(imgai: Imgai, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    cells = np.where(INSIDE, 0.8, 0.0)
    for top in (235, 1000, 4095, 65535):
        tifffile.imwrite(tmp_path / f"in/top{top:05d}.tif", rng.poisson(cells * top).clip(0, 65535).astype(np.uint16))
    tifffile.imwrite(tmp_path / "in/blank.tif", rng.normal(100, 3, INSIDE.shape).round().astype(np.uint16))
    ran = imgai("segment", "in", "-m", "nuclei", "--as", "labels,overlay", "-o", "out")
    assert ran.returncode == 0, ran.stderr
    assert "no nuclei in 1" in ran.stderr
    for top in (235, 1000, 4095, 65535):
        assert np.asarray(Image.open(tmp_path / f"out/top{top:05d}-labels.png")).max() == 16, top
    assert np.asarray(Image.open(tmp_path / "out/top00235-overlay.jpg")).mean() > 20  # people see it too
    lines = (tmp_path / "out/.imgai/records.jsonl").read_text().splitlines()
    records = {Path(each["input"]).name: each for each in map(json.loads, lines) if each["status"] == "done"}
    ((low, high),) = records["top01000.tif"]["normalized"]
    assert (low, 700 < high < 1000) == (0, True)
    assert records["top01000.tif"]["params"]["normalize"] == "auto"
    assert "normalized" not in records["top65535.tif"]
    again = imgai("segment", "in", "-m", "nuclei", "--as", "labels,overlay", "-o", "out", "--normalize", "0,800")
    assert "5 done" in again.stderr, again.stderr


def test_an_option_of_another_model_is_refused(imgai: Imgai, tmp_path: Path) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    ran = imgai("segment", "a.png", "-m", "document", "--normalize", "none", "-o", "out")
    assert ran.returncode == 2
    assert "--normalize is an option of the model nuclei, not of document" in ran.stderr


def test_a_model_of_pictures_cannot_declare_it() -> None:
    from imgai.discovery import Plugin
    from imgai.registry import Registry

    model = dataclasses.replace(fake.DOUBLE, normalize=(1.0, 1.0))
    registry = Registry([Plugin("x", "x", "0", (fake.BRIGHTEN,), (model,))])
    assert "normalize" in registry.broken[0].broken
    with pytest.raises(ValueError, match="normalize is two numbers"):
        dataclasses.replace(fake.LIGHTNESS, normalize=(0.0, 1.0))


def test_a_blank_picture_has_no_nuclei() -> None:
    registry = load_registry()
    find = load_step(registry.task("segment"), registry.model("segment", "nuclei"))
    rng = np.random.default_rng(1)
    blank: dict[str, Any] = {
        "black": np.zeros((200, 200)),
        "noise": rng.normal(100, 20, (200, 200)),
        "photons": rng.poisson(3, (200, 200)),
        "stuck": rng.normal(100, 3, (200, 200)) + 65000 * (rng.random((200, 200)) > 0.999),
    }
    for name, values in blank.items():
        pixels = torch.from_numpy(values.round().clip(0, 65535).astype(np.int32)).to(torch.uint16)
        given = Sample(pixels.expand(3, -1, -1)[None], Source(None, "x"), Metadata("TIFF", depth=16, gray=True))
        ((_, numbered),) = find(given).masks["segment"].objects(0.5)
        assert numbered.max() == 0, name
