"""The example plugins are built as wheels, installed and run, as somebody else's would be."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "examples" / "plugins"
NAMES = sorted(path.parent.name for path in PLUGINS.glob("*/pyproject.toml"))
LONGEST = 120
Imgai = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def imgai(examples: Path, python: str, tmp_path: Path) -> Imgai:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-m", "imgai.cli.main", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(examples), "COLUMNS": "200", "NO_COLOR": "1"},
        )

    return call


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Two light squares on a dark, wide ground, one of them large."""
    pixels = np.full((100, 200, 3), 30, dtype=np.uint8)
    pixels[10:50, 20:80] = 250
    pixels[80:86, 150:156] = 240
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    return tmp_path / "in"


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short(name: str) -> None:
    files = [path for path in (PLUGINS / name).rglob("*") if path.suffix in (".py", ".toml")]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) < LONGEST


def test_boxes_as_every_kind(imgai: Imgai, picture: Path, tmp_path: Path) -> None:
    kinds = "json,coco,yolo,overlay,crops,kitti"
    answer = imgai("blobs", "in", "--out", "out", "--as", kinds, "--json", "--device", "cpu", "--kitti-digits", "0")
    assert answer.returncode == 0, answer.stderr
    record = json.loads(answer.stdout.splitlines()[0])
    assert record["objects"] == {"large": 1, "small": 1}
    assert ": 1 small, 1 large in 1 picture; see out" in answer.stderr
    made = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file())
    files = ["crops.large-1.png", "crops.small-1.png", "kitti.txt", "overlay.jpg", "yolo.txt"]
    assert made == sorted([*(f"a-{name}" for name in files), "a.json", "classes.txt", "coco.json"])
    large = next(
        each for each in json.loads((tmp_path / "out" / "a.json").read_text())["objects"] if each["label"] == "large"
    )
    assert large["box"] == pytest.approx([20, 10, 80, 50], abs=2)  # the bars of the letterbox are gone
    rows = [line.split() for line in (tmp_path / "out" / "a-kitti.txt").read_text().splitlines()]
    assert [float(each) for each in rows[0][4:8]] == pytest.approx([20, 10, 80, 50], abs=2)
    assert "." not in rows[0][4]
    again = imgai("blobs", "in", "--out", "out", "--as", kinds, "--device", "cpu", "--kitti-digits", "0")
    assert "1 done before" in again.stderr
    other = imgai("blobs", "in", "--out", "out", "--as", kinds, "--device", "cpu", "--kitti-digits", "1")
    assert "1 done" in other.stderr
    assert "before" not in other.stderr


def test_an_option_without_its_kind_is_refused(imgai: Imgai, picture: Path) -> None:
    answer = imgai("blobs", "in", "--out", "out", "--kitti-digits", "1")
    assert answer.returncode == 2
    assert "--kitti-digits is an option of kitti" in answer.stderr
    assert "--as kitti" in answer.stderr


def test_one_file_may_be_named(imgai: Imgai, picture: Path, tmp_path: Path) -> None:
    assert imgai("blobs", "in/a.png", "--out", "found.json", "--device", "cpu").returncode == 0
    assert json.loads((tmp_path / "found.json").read_text())["objects"]
    answer = imgai("blobs", "in/a.png", "--out", "found.png", "--device", "cpu")
    assert answer.returncode == 2
    assert "json is not written as PNG" in answer.stderr


def test_a_map_as_every_kind(imgai: Imgai, picture: Path, tmp_path: Path) -> None:
    answer = imgai("relief", "in", "--out", "out", "--as", "tiff,png16,color", "--json", "--device", "cpu")
    assert answer.returncode == 0, answer.stderr
    record = json.loads(answer.stdout.splitlines()[0])
    values = tifffile.imread(tmp_path / "out" / "a-tiff.tif")
    assert record["map"]["maximum"] == pytest.approx(values.max(), rel=1e-4)
    about = next(output for output in record["outputs"] if output["kind"] == "png16")
    levels = np.asarray(Image.open(tmp_path / "out" / "a-png16.png")).astype(float)
    assert abs(levels * about["scale"] + about["offset"] - values).max() <= about["scale"]
    assert about["unit"] == "a pixel"


def test_data_as_every_kind(imgai: Imgai, picture: Path, tmp_path: Path) -> None:
    answer = imgai("palette", "in", "--out", "out", "--as", "json,text", "--colors", "2", "--device", "cpu")
    assert answer.returncode == 0, answer.stderr
    told = json.loads((tmp_path / "out" / "a.json").read_text())
    assert told["colors"][0]["color"] == "#1e1e1e"
    assert (tmp_path / "out" / "a-text.txt").read_text() == told["text"] + "\n"


def test_models_of_others_and_a_task_in_one_chain(imgai: Imgai, picture: Path, tmp_path: Path) -> None:
    steps = ('"denoise --model mean"', '"duotone --dark black --light white --strength 0.5"', "segment --model otsu")
    words = [step.strip('"') for step in steps]
    answer = imgai("chain", "in", *words[:2], f"{words[2]} --as labels", "--out", "out", "--device", "cpu", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[0])["objects"] == {"light": 2}
    labels = np.asarray(Image.open(next((tmp_path / "out").glob("*.png"))))
    assert set(np.unique(labels)) == {0, 1, 2}


def test_scores_and_arrays(imgai: Imgai, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, value in (("night", 10), ("day", 115), ("snow", 240)):
        np.save(tmp_path / "in" / f"{name}.npy", np.full((40, 60, 3), value, np.uint8))
    answer = imgai("exposure", "in", "--json", "--device", "cpu")
    assert answer.returncode == 0, answer.stderr
    records = [json.loads(line) for line in answer.stdout.splitlines()]
    best = {Path(each["input"]).stem: next(iter(each["scores"])) for each in records if "scores" in each}
    assert best == {"night": "dark", "day": "right", "snow": "light"}


def test_the_examples_keep_the_contract(examples: Path, python: str) -> None:
    tests = [str(PLUGINS / name / "tests") for name in NAMES if (PLUGINS / name / "tests").is_dir()]
    answer = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode", "importlib", *tests],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(examples)},
    )
    assert answer.returncode == 0, answer.stdout
