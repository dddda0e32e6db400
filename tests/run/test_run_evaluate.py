"""`imgai evaluate`: the numbers are those of the books, and say which pictures they are of."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from imgai.cli import evaluate as command
from imgai.cli.settings import Settings
from imgai.discovery import Plugin
from imgai.errors import UsageError
from imgai.evaluation.classes import truths
from imgai.kinds.table import Row
from imgai.measure.figures import Figures
from imgai.measure.scores import ScoresMeasure, calibration_error
from imgai.registry import Registry
from imgai.testing import fake

MODEL = dataclasses.replace(fake.MEAN, label_ids=("n00000001", "n00000002"))


def row(path: str, **scores: float) -> Row:
    return Row(path, scores=tuple(sorted(scores.items(), key=lambda pair: -pair[1])))


ROWS = [row("a", dark=0.9, light=0.1), row("b", dark=0.8, light=0.2), row("c", light=0.7, dark=0.3)]


def measured(rows: list[Row], classes: dict[str, str]) -> Figures:
    measure = ScoresMeasure()
    for each in rows:
        measure.update(each.scores, classes.get(each.path, ""))
    return measure.compute()


def test_the_numbers_are_those_counted_by_hand() -> None:
    report = measured([*ROWS, row("no labels")], {"a": "dark", "b": "light", "c": "light"})
    assert report.pictures == 3
    assert report.values["top1"] == pytest.approx(2 / 3)
    assert report.values["top5"] == 1
    assert report.values["recall"] == 0.75
    # Of two called dark one was; of two that are light one was found.
    assert report.classes == {
        "dark": {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "pictures": 1},
        "light": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "pictures": 2},
    }
    assert report.confusion.tolist() == [[1, 0], [1, 1]]


def test_of_no_picture_that_could_be_read_there_is_nothing_to_count() -> None:
    report = measured([row("broken")], {"broken": "dark"})
    assert (report.pictures, report.classes, report.score, set(report.values.values())) == (0, {}, None, {None})


def test_scores_that_keep_their_word_are_calibrated() -> None:
    scores = np.array([0.75] * 4 + [1.0] * 2)
    assert calibration_error(scores, np.array([True, True, True, False, True, True])) == pytest.approx(0)
    # Always sure, and right half the time.
    assert calibration_error(np.ones(4), np.array([True, False] * 2)) == pytest.approx(0.5)


def test_the_class_is_the_folders_name_or_id_or_what_the_files_name_begins_with() -> None:
    rows = [Row(path) for path in ("in/Dark/1.png", "in/n00000002/deep/2.png", "in/n00000001_3.png")]
    assert list(truths(rows, Path("in"), MODEL).values()) == ["dark", "light", "dark"]


def test_classes_of_a_model_that_declares_none_are_those_of_its_answers_and_of_the_others() -> None:
    silent = dataclasses.replace(MODEL, name="silent", labels=None, label_ids=None)
    rows = [row("in/very_dark/1.png", **{"Very Dark": 0.9}), row("in/n00000002/2.png", light=1), row("in/other/3.png")]
    assert list(truths(rows, Path("in"), silent, [silent, MODEL]).values()) == ["Very Dark", "light", "other"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("in/drak/1.png", "knows no class 'drak'; did you mean 'dark'?"),
        ("in/1.png", "in/1.png lies in no folder for its class"),
    ],
)
def test_a_picture_of_no_known_class_is_refused(path: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        truths([Row(path)], Path("in"), MODEL)
    assert words in str(caught.value)


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    registry = Registry([Plugin("fake", "fake", "0", (fake.WEIGH,), (fake.MEAN,))])
    command.add(app, registry, Settings())
    return app


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    for folder, level in (("dark", 20), ("light", 230), ("light/too", 90)):
        path = tmp_path / "in" / folder / "x.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (40, 30), (level,) * 3).save(path)
    return tmp_path / "in"


def test_the_command_tells_and_writes_what_it_found(app: typer.Typer, graded: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "weigh", str(graded), "--out", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["pictures"], found["classes"], found["top1"], found["top5"]) == (3, 2, 0.6667, 1.0)
    with (tmp_path / "out" / "classes.csv").open(newline="") as file:
        classes = list(csv.DictReader(file))
    assert [(each["class"], each["recall"], each["pictures"]) for each in classes] == [
        ("dark", "1.0000", "1"),
        ("light", "0.5000", "2"),
    ]
    with (tmp_path / "out" / "confusion.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["class", "dark", "light"], ["dark", "1", "0"], ["light", "1", "1"]]
    with Image.open(tmp_path / "out" / "confusion.png") as drawn:
        assert min(drawn.size) > 100


def test_a_fill_is_measured_inside_of_its_holes(tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.add(app, Registry([Plugin("fake", "fake", "0", (fake.PAINT_OVER,), (fake.EVEN,))]), Settings())
    for folder in ("in/a", "masks/a"):
        (tmp_path / folder).mkdir(parents=True)
    values = np.full((40, 30, 3), 100, np.uint8)
    values[15:20, 10:20] = 110  # is filled with what is around it
    Image.fromarray(values).save(tmp_path / "in" / "a" / "x.png")
    Image.fromarray(np.uint8(255) * (values[..., 0] == 110)).save(tmp_path / "masks" / "a" / "x.png")
    words = ["evaluate", "paint-over", str(tmp_path / "in")]
    without = CliRunner().invoke(app, words)
    assert (without.exit_code, "or add --mask" in without.output) == (2, True)
    result = CliRunner().invoke(app, [*words, "--mask", str(tmp_path / "masks"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["psnr"] == pytest.approx(20 * np.log10(255 / 10), abs=1e-3)


def test_a_report_among_the_pictures_is_no_class_of_theirs(app: typer.Typer, graded: Path) -> None:
    for _ in range(2):
        result = CliRunner().invoke(app, ["evaluate", "weigh", str(graded), "--out", str(graded / "report"), "--json"])
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["pictures"] == 3


@pytest.mark.parametrize("name", ["pictures.csv", "classes.csv", "confusion.png"])
def test_tables_of_others_are_not_replaced(app: typer.Typer, graded: Path, tmp_path: Path, name: str) -> None:
    """Before anything is computed; those of an earlier evaluation are."""
    words = ["evaluate", "weigh", str(graded), "--out", str(tmp_path / "out")]
    for _ in range(2):
        assert CliRunner().invoke(app, words).exit_code == 0
    (tmp_path / "out" / name).write_bytes(b"picture,camera\r\na.jpg,mine\r\n")
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert "no table of an evaluation's" in " ".join(refused.output.split())
    assert (tmp_path / "out" / name).read_bytes().endswith(b"mine\r\n")


def test_a_picture_that_cannot_be_read_is_left_out_and_told(app: typer.Typer, graded: Path) -> None:
    (graded / "dark" / "broken.png").write_bytes(b"no picture")
    result = CliRunner().invoke(app, ["evaluate", "weigh", str(graded)])
    assert result.exit_code == 1
    assert "broken.png" in result.stderr
    assert "pictures           3" in result.stdout


def test_what_is_no_folder_is_refused(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "weigh", str(tmp_path / "missing")])
    assert result.exit_code == 2
    assert "is no folder" in result.stderr
