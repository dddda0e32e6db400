"""A recipe is checked whole before anything is done, and does what the same words in a shell do."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from imgai import bounded
from imgai.cli.main import build_app
from imgai.cli.schema import recipe_schema
from imgai.discovery import Plugin
from imgai.errors import UsageError
from imgai.registry import Registry
from imgai.runs.schema import record_schema
from imgai.testing import fake
from imgai.words.recipe import read_recipe

REGISTRY = Registry([Plugin("fake", "fake", "1", fake.imgai_register_tasks(), fake.imgai_register_models())])
GOOD = """\
# Twice the size, and where it is light.
[run]
device = "cpu"
threads = 2

[[steps]]
task = "find-light"
gain = 2.5
as = ["mask", "overlay"]
keep = true

[[steps]]
task = "brighten"
format = "png"
"""


def imgai(*arguments: object) -> Any:
    return CliRunner().invoke(build_app(REGISTRY), [str(argument) for argument in arguments])


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_recipe_makes_what_the_same_chain_makes(recipe: Path, pictures: Path, tmp_path: Path) -> None:
    steps = ["find-light --gain 2.5 --as mask,overlay", "brighten --format png"]
    chained = imgai("chain", pictures, "--out", tmp_path / "one", *steps, "--keep", "find-light")
    page = tmp_path / "page.html"
    cooked = imgai("run", recipe, pictures, "--out", tmp_path / "other", "--report", page)
    assert f"<title>imgai run {recipe}: " in page.read_text(encoding="utf-8")
    assert (chained.exit_code, cooked.exit_code) == (0, 0), chained.stderr + cooked.stderr
    assert len(contents(tmp_path / "one")) == 9
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_chain_saves_itself_as_a_recipe(pictures: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.toml"
    steps = ['find-light --gain 2.5 --as "mask, overlay"', "brighten"]
    line = ["chain", pictures, "--out", tmp_path / "one", *steps, "--keep", "find-light", "--threads", "2"]
    assert imgai(*line, "--save-recipe", saved).exit_code == 0
    found = tomllib.loads(saved.read_text())
    assert found == {
        "run": {"threads": 2},
        "steps": [
            {"task": "find-light", "gain": 2.5, "as": ["mask", "overlay"], "keep": True},
            {"task": "brighten"},
        ],
    }
    # Done again by the recipe, nothing has changed.
    again = imgai("run", saved, pictures, "--out", tmp_path / "one", "--json")
    *told, ended = [json.loads(line) for line in again.stdout.splitlines()]
    assert (ended["status"], ended["skipped"]) == ("ended", 3)
    assert [record["status"] for record in told] == ["skipped"] * 3
    outputs = [tmp_path / "one" / output["path"] for record in told for output in record["outputs"]]
    assert len(outputs) == 9
    assert all(path.is_file() for path in outputs)
    assert imgai(*line, "--save-recipe", saved).exit_code == 0  # to go on, the same command is typed again
    refused = imgai(*line, "--save-recipe", saved, "--fail-fast")
    assert refused.exit_code == 2
    assert "there is such a file" in refused.stderr


def test_a_recipe_is_saved_when_something_was_done_by_it(pictures: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.toml"
    more = ("--out", tmp_path / "one", "brighten", "--save-recipe", saved)
    assert imgai("chain", tmp_path / "mistyped", *more).exit_code == 2
    assert imgai("chain", pictures, *more, "--dry-run").exit_code == 0
    assert not saved.exists()
    assert imgai("chain", pictures, *more).exit_code == 0
    assert saved.exists()


def test_options_of_the_command_count_more_than_the_recipes(recipe: Path, pictures: Path, tmp_path: Path) -> None:
    recipe.write_text(GOOD.replace('device = "cpu"', 'device = "mps"\njson = true\nout = "nowhere"'))
    answer = imgai("run", recipe, pictures, "--out", tmp_path / "out", "--device", "cpu")
    assert answer.exit_code == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == 3 + 1  # json is the recipe's, and ends with the whole run
    assert not Path("nowhere").exists()


def test_a_recipe_may_be_quiet(recipe: Path, pictures: Path, tmp_path: Path) -> None:
    assert "done" in imgai("run", recipe, pictures, "--out", tmp_path / "one").stderr
    recipe.write_text(GOOD.replace("[run]", "[run]\nquiet = true"))
    assert imgai("run", recipe, pictures, "--out", tmp_path / "other").stderr == ""


def test_the_nearest_model_of_all_tasks_is_told() -> None:
    answer = imgai("models", "info", "meen")
    assert isinstance(answer.exception, UsageError)
    assert answer.exception.hint == "did you mean 'mean'?"


def test_a_recipe_without_a_folder_needs_one(recipe: Path, pictures: Path) -> None:
    answer = imgai("run", recipe, pictures)
    assert answer.exit_code == 2
    assert "add --out FOLDER" in answer.stderr


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("gain = 2.5", "gian = 2.5", 8, "there is no option 'gian'; did you mean 'gain'?"),
        ("gain = 2.5", 'gain = "much"', 8, "gain takes a number from 0 to 10, not 'much'"),
        ("gain = 2.5", "gain = 25.0", 8, "gain cannot be 25.0; it takes a number from 0 to 10"),
        ("gain = 2.5", "gain = true", 8, "gain takes a number from 0 to 10, not true"),
        ('task = "brighten"', 'task = "brigthen"', 13, "did you mean 'brighten'?"),
        ('task = "brighten"', "task = 3", 13, "task is a text, not 3"),
        ('task = "brighten"\n', "", 12, "the step 2 names no task"),
        ("threads = 2", "treads = 2", 4, "did you mean 'threads'?"),
        ("threads = 2", "threads = 0", 4, "threads cannot be 0; it takes a whole number of at least 1"),
        ("threads = 2", "quiet = 1", 4, "quiet takes true or false, not 1"),
        ("keep = true", 'keep = "yes"', 10, "keep is true or false"),
        ("[run]", "[rnu]", 2, "there is no 'rnu' in a recipe; did you mean 'run'?"),
        ("gain = 2.5", "gain = ", 8, "no valid TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(recipe: Path, before: str, after: str, line: int, words: str) -> None:
    recipe.write_text(GOOD.replace(before, after))
    with pytest.raises(UsageError) as caught:
        read_recipe(recipe, REGISTRY)
    assert str(caught.value).startswith(f"{recipe}:{line}: ")
    assert words in str(caught.value)


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_done(recipe: Path, pictures: Path, tmp_path: Path) -> None:
    wrong = GOOD.replace("gain", "gian").replace("threads = 2", "threads = 0").replace("brighten", "brigthen")
    recipe.write_text(wrong)
    answer = imgai("run", recipe, pictures, "--out", tmp_path / "out")
    assert answer.exit_code == 2
    assert [line.split(":")[-2] for line in answer.stderr.splitlines()] == ["4", "8", "13"]
    assert not (tmp_path / "out").exists()


def test_no_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^there is no file .*missing\.toml; check the name"):
        read_recipe(tmp_path / "missing.toml", REGISTRY)


def test_the_schema_of_recipes_takes_what_is_right_and_refuses_what_is_not() -> None:
    schema = recipe_schema(REGISTRY)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(GOOD), schema)
    for before, after in (("gain", "gian"), ("2.5", "25.0"), ("brighten", "brigthen"), ("keep = true", "keep = 1")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(tomllib.loads(GOOD.replace(before, after)), schema)


def test_the_schema_of_records_takes_every_record(recipe: Path, pictures: Path, tmp_path: Path) -> None:
    schema = record_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    (pictures / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    seen = []
    for line in (
        ["run", recipe, pictures, "--out", out, "--json", "--dry-run"],
        ["run", recipe, pictures, "--out", out, "--json"],
        ["run", recipe, pictures, "--out", out, "--json"],
        ["weigh", pictures, "--json"],
    ):
        records = [json.loads(text) for text in imgai(*line).stdout.splitlines()]
        for record in records:
            jsonschema.validate(record, schema)
        seen += [record["status"] for record in records]
    assert set(seen) == {"planned", "done", "failed", "skipped", "ended"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"schema": 99, "input": "a", "status": "done"}, schema)


def test_the_command_prints_either_schema() -> None:
    assert json.loads(imgai("schema", "recipe").stdout) == recipe_schema(REGISTRY)
    assert json.loads(imgai("schema", "record").stdout) == record_schema()


def test_a_recipe_in_a_pipe_that_nobody_writes_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "LONGEST", 0.05)
    os.mkfifo(tmp_path / "r.toml")
    with pytest.raises(UsageError, match=r"r\.toml cannot be read: nothing came"):
        read_recipe(tmp_path / "r.toml", REGISTRY)
