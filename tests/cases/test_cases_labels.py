"""Numbers of objects, where there are more than a PNG can number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from typer.testing import CliRunner

from imgai.cli.main import build_app
from imgai.discovery import Plugin
from imgai.registry import Registry
from imgai.testing import fake

REGISTRY = Registry([Plugin("fake", "fake", "1", fake.imgai_register_tasks(), fake.imgai_register_models())])


def test_labels_that_a_png_cannot_number_are_told_where_they_are(tmp_path: Path) -> None:
    """Once they were written as exact.tif, and told as exact.png, which there was not."""
    dots = np.zeros((514, 514), np.uint8)
    dots[::2, ::2] = 255  # 66,049 of them
    Image.fromarray(dots).save(tmp_path / "a.png")
    words = ["find-light", str(tmp_path / "a.png"), "--as", "labels", "--out", str(tmp_path / "exact.png"), "--json"]
    answer = CliRunner().invoke(build_app(REGISTRY), words)
    assert answer.exit_code == 0, answer.stderr
    assert [path.name for path in tmp_path.glob("exact.*")] == ["exact.tif"]
    assert tifffile.imread(tmp_path / "exact.tif").max() == 257 * 257
    assert f"exact.png cannot be called so; it is {tmp_path / 'exact.tif'}" in answer.stderr
    assert answer.stderr.splitlines()[-1].endswith(f"see {tmp_path / 'exact.tif'}")
    record, _ended = map(json.loads, answer.stdout.splitlines())
    assert "exact.tif" in json.dumps(record["outputs"])
    assert "exact.png" not in json.dumps(record["outputs"])
