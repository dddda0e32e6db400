"""Small pictures to train on, and a training that takes a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imgai.console import Console
from imgai.params import as_values
from imgai.training.settings import TrainOptions

Train = Callable[..., int]


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Sums are added up in the same order each time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's models."""
    monkeypatch.setenv("IMGAI_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Bright squares on dark noise, with their masks."""
    for name in ("images", "masks"):
        (tmp_path / "squares" / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(10):
        picture = rng.integers(0, 90, (40, 44, 3), dtype=np.uint8)
        mask = np.zeros((40, 44), np.uint8)
        top, left = rng.integers(4, 20, 2)
        picture[top : top + 14, left : left + 14] += 130
        mask[top : top + 14, left : left + 14] = 255
        Image.fromarray(picture).save(tmp_path / "squares" / "images" / f"{number}.png")
        Image.fromarray(mask).save(tmp_path / "squares" / "masks" / f"{number}.png")
    return tmp_path / "squares"


@pytest.fixture
def stripes(tmp_path: Path) -> Path:
    """Pictures of two classes: stripes across, and stripes down."""
    rng = np.random.default_rng(1)
    for number in range(20):
        picture = rng.integers(0, 60, (32, 32, 3), dtype=np.uint8)
        kind = ("across", "down")[number % 2]
        shift = int(rng.integers(0, 8))
        if kind == "across":
            picture[shift::8] += 150
        else:
            picture[:, shift::8] += 150
        (tmp_path / "stripes" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "stripes" / kind / f"{number}.png")
    return tmp_path / "stripes"


@pytest.fixture
def train() -> Train:
    """Train as the command line does. Returns the exit code."""

    def run(task: str, folder: Path, **options: Any) -> int:
        from imgai.training.train import train

        console = Console(quiet=options.pop("quiet", True))
        told = as_values(TrainOptions, {"folder": folder, "devices": "cpu", **options})
        return train(task, told, frozenset(options), console)

    return run
