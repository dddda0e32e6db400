"""With example pictures the contract finds networks that are given other colours than they were trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from imgai.plugin import LoadContext, Model, Output, Predictor, Task
from imgai.testing.checks import faults
from imgai.testing.subject import Subject

RED = Task(name="find-red", summary="Find what is red.", default_model="red", output=Output.MASK)
MODEL = Model(
    name="red", task="find-red", summary="Red.", license="MIT", load=f"{__name__}:load_red", labels=("red",), tile=64
)
WARM = Task(name="warm-up", summary="More red.", default_model="warm", output=Output.IMAGE)
WARMER = Model(
    name="warm", task="warm-up", summary="Warm.", license="MIT", load=f"{__name__}:load_warm", tile=64
)  # fmt: skip


def red(image: Tensor) -> Tensor:
    """As trained: of RGB in [0, 1]."""
    return (20 * (image[:, :1] - image[:, 2:] - 0.5)).sigmoid()


def load_red(context: LoadContext) -> Predictor:
    return Predictor(network=red)


def load_red_of_bgr(context: LoadContext) -> Predictor:
    return Predictor(network=red, preprocess=lambda image: image.flip(1))


def load_red_of_255(context: LoadContext) -> Predictor:
    return Predictor(network=lambda image: red(image / 255))


def warm(image: Tensor) -> Tensor:
    return (image * image.new_tensor([1.2, 1, 0.8]).view(1, 3, 1, 1)).clamp(0, 1)


def load_warm(context: LoadContext) -> Predictor:
    return Predictor(network=warm)


def load_warm_of_bgr(context: LoadContext) -> Predictor:
    return Predictor(
        network=warm, preprocess=lambda image: image.flip(1), postprocess=lambda image: image.flip(1)
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("images", "masks", "input", "target"):
        (tmp_path / name).mkdir()
    for number in range(3):
        picture = random.integers(60, 200, (48, 40, 3)).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "input" / f"{number}.png")
        right = np.clip(picture * (1.2, 1, 0.8), 0, 255).round().astype(np.uint8)
        Image.fromarray(right).save(tmp_path / "target" / f"{number}.png")
        picture[5:20, 10:30], picture[30:40, 5:15] = (220, 30, 20), (20, 30, 220)
        mask = np.zeros((48, 40), np.uint8)
        mask[5:20, 10:30] = 255
        Image.fromarray(picture).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("task", "model", "load", "words"),
    [
        (RED, MODEL, "load_red", None),
        (RED, MODEL, "load_red_of_bgr", "flip(1) in preprocess"),
        (RED, MODEL, "load_red_of_255", "multiply by 255"),
        (WARM, WARMER, "load_warm", None),
        (WARM, WARMER, "load_warm_of_bgr", "flip(1) in preprocess"),
    ],
)
def test_a_network_that_is_given_other_colours_is_found(
    folder: Path, task: Task, model: Model, load: str, words: str | None
) -> None:
    model = dataclasses.replace(model, load=f"{__name__}:{load}")
    (folder / "own").mkdir()
    for name in ("images", "masks") if task is RED else ("input", "target"):
        (folder / name).rename(folder / "own" / name)
    found = faults("examples", Subject(tasks=(task,), models=(model,), examples=folder / "own"))
    assert len(found) == (words is not None), list(map(str, found))
    assert words is None or words in str(found[0])


def test_examples_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (fault,) = faults("examples", Subject(tasks=(RED,), models=(MODEL,), examples=tmp_path / "nowhere"))
    assert "cannot be measured" in str(fault)
