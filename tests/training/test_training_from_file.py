"""``imgai train --from PATH``: networks of other people go on learning, or say why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import imgai
from imgai.errors import PluginError, UsageError
from imgai.trained import declaration
from tests.models.conftest import compact, dncnn, write_ncnn

Train = Callable[..., int]
FEW = {"epochs": 1, "size": 32, "batch": 4}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGAI_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Clean pictures, of odd sizes."""
    import skimage.data

    (tmp_path / "photos").mkdir()
    values = skimage.data.chelsea()
    for index in range(6):
        Image.fromarray(values[40 * index : 40 * index + 45, 100:151]).save(tmp_path / "photos" / f"{index}.png")
    return tmp_path / "photos"


def test_a_network_of_a_file_learns_and_runs_by_its_name(
    train: Train, photos: Path, models: Path, tmp_path: Path
) -> None:
    path = tmp_path / "Theirs.pth"
    torch.save({"params_ema": compact()}, path)
    assert train("super-resolve", photos, from_=str(path), name="mine", **FEW) == 0
    file = models / "mine" / "mine.safetensors"
    declared = declaration(file)
    assert declared is not None
    assert declared["base"]["model"] == "theirs"
    state, before = load_file(file), compact()
    assert set(state) == set(before), "named as the file had it, for other programs too"
    assert any(not torch.equal(state[name], before[name]) for name in state)
    picture = photos / "0.png"
    larger = imgai.load("super-resolve", model="mine")(picture).image
    assert larger.shape == (3, 90, 102)
    # ... and so on, from what came of it.
    assert train("super-resolve", photos, from_="mine", name="more", **FEW) == 0
    records = list(imgai.run("super-resolve --model more", picture, tmp_path / "out"))
    assert [record["status"] for record in records] == ["done"]


def test_a_denoiser_is_given_the_noise_of_the_tasks_own(
    train: Train, photos: Path, models: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dncnn.safetensors"
    save_file(dncnn(layers=8), path)
    assert train("denoise", photos, from_=str(path), name="mine", **FEW) == 0
    assert imgai.load("denoise", model="mine")(photos / "0.png").image.shape == (3, 45, 51)


def test_what_cannot_learn_says_so(train: Train, photos: Path, tmp_path: Path) -> None:
    shrunk = write_ncnn(tmp_path, "small", compact(scale=4), 4, shrink=0.5)
    with pytest.raises(UsageError, match=r"RealESRGAN Compact, whose answer is resized by 0\.5: it cannot be trained"):
        train("super-resolve", photos, from_=str(shrunk), name="mine", **FEW)
    graph = tmp_path / "x2.onnx"
    network = torch.nn.Upsample(scale_factor=2)
    torch.onnx.export(network, (torch.rand(1, 3, 64, 64),), str(graph), dynamo=False)
    with pytest.raises(UsageError, match="is a graph, which runs and cannot be trained"):
        train("super-resolve", photos, from_=str(graph), name="mine", **FEW)
    path = tmp_path / "x2.pth"
    torch.save(compact(), path)
    with pytest.raises(PluginError, match="enlarges 2 times; use it with super-resolve"):
        train("denoise", photos, from_=str(path), name="mine", **FEW)


def test_a_header_cannot_make_another_task_of_it(tmp_path: Path) -> None:
    import json

    header = {"schema": 1, "task": "segment", "name": "mine", "base": {"model": "x", "plugin": "a file"}}
    path = tmp_path / "mine.safetensors"
    save_file(compact(), path, {"imgai": json.dumps(header)})
    with pytest.raises(PluginError, match="is of segment, which has no models of this kind"):
        imgai.load("segment", model=str(path))(np.zeros((8, 8, 3), np.uint8))
