"""A folder of classes in which something does not belong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from imgai.cli import evaluate as command
from imgai.cli.settings import Settings
from imgai.discovery import Plugin
from imgai.registry import Registry
from imgai.testing import fake


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.add(app, Registry([Plugin("fake", "fake", "0", (fake.WEIGH,), (fake.MEAN,))]), Settings())
    return app


def test_a_folder_that_is_no_class_is_told_before_any_picture_is_looked_at(app: typer.Typer, tmp_path: Path) -> None:
    """Once it ended the measurement with an error after every picture had been labelled, and no report was written."""
    for name, level in (("dark", 20), ("light", 230), ("Thumbs", 90)):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.new("RGB", (40, 30), (level,) * 3).save(tmp_path / "in" / name / "a.png")
    answer = CliRunner().invoke(app, ["evaluate", "weigh", str(tmp_path / "in"), "--out", str(tmp_path / "rep")])
    assert answer.exit_code == 0, answer.output
    said = [line for line in answer.stderr.splitlines() if line]
    assert "Thumbs: no class of the model mean; left out" in said[0]
    assert any("2 done" in line for line in said[1:])
    assert len(list((tmp_path / "rep").iterdir())) == 4


def test_of_no_picture_there_is_no_score(app: typer.Typer, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Once it was 0.0, as if every answer had been wrong, with warnings of torchmetrics before it."""
    (tmp_path / "in" / "dark").mkdir(parents=True)
    (tmp_path / "in" / "dark" / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0zz")
    answer = CliRunner().invoke(app, ["evaluate", "weigh", str(tmp_path / "in"), "--json"])
    assert answer.exit_code == 1
    found = json.loads(answer.stdout)
    assert found.pop("pictures") == 0
    assert set(found.values()) == {None}
    assert {"top1", "precision", "calibration_error"} <= set(found)
    assert "Warning" not in answer.stderr
    assert not list(recwarn)
