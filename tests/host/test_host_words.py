"""What the command line answers to words that it does not know, and where something was left out."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imgai.cli.doctor import _EXTRAS
from imgai.cli.group import SYNONYMS
from imgai.cli.main import build_app
from imgai.errors import UsageError
from imgai.registry import load_registry


def told(*words: str) -> tuple[int, str]:
    """The exit code, and all that was printed."""
    run = subprocess.run([sys.executable, "-m", "imgai", *words], capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def test_an_unknown_command_is_one_plain_line() -> None:
    assert told("segmnt") == (2, "error: there is no command segmnt; did you mean imgai segment?\n")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("upscale old.jpg", "there is no command upscale; try: imgai super-resolve old.jpg"),
        ("rembg 'my cat.jpg'", "there is no command rembg; try: imgai segment --as cutout 'my cat.jpg'"),
        ("segment .", "say where the results go; try: imgai segment . --out results/"),
        ("segment nowhere.jpg", "there is no file or folder nowhere.jpg; check the name"),
        ("denoise", "say which pictures: files or folders; for example: imgai denoise photos/ --out results/"),
        ("models inof", "there is no command models inof; did you mean imgai models info?"),
        ("segment . --zzz", "there is no option --zzz; see: imgai segment --help"),
        ("segment . --out", "--out needs a value; see: imgai segment --help"),
        ("models info", "NAME is missing; see: imgai models info --help"),
        ("try it", "imgai try does not know what to do with it; see: imgai try --help"),
    ],
)
def test_the_right_words_are_shown(typed: str, said: str) -> None:
    error = CliRunner().invoke(build_app(load_registry()), shlex.split(typed)).exception
    assert isinstance(error, UsageError)
    assert str(error) == said


@pytest.mark.parametrize("group", ["runs", "evaluate", "train"])
def test_a_group_alone_shows_its_help_and_no_error(group: str) -> None:
    answer = CliRunner().invoke(build_app(load_registry()), [group])
    assert answer.exit_code == 2
    assert "Usage:" in answer.stdout
    assert not answer.stderr
    assert not isinstance(answer.exception, UsageError)


def test_synonyms_name_what_there_is() -> None:
    registry = load_registry()
    own = {"train", "models"}
    for word, known in SYNONYMS.items():
        assert word not in registry.tasks
        assert known.split()[0] in registry.tasks.keys() | own


def test_every_task_ends_its_help_with_commands_of_its_own() -> None:
    for task in load_registry().tasks.values():
        assert len(task.examples) >= 3, task.name
        assert all(example.startswith(f"imgai {task.name} ") for example in task.examples)


def test_examples_are_commands_that_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The pictures are not there, and that is all that is wrong.
    monkeypatch.chdir(tmp_path)
    registry = load_registry()
    app = build_app(registry)
    for task in registry.tasks.values():
        for example in task.examples:
            words = shlex.split(example.replace("--style-image painting.jpg", ""))[1:]
            wanted = "there is no such file or folder" if "--mask" in words else "there is no file or folder"
            assert wanted in CliRunner().invoke(app, words).stderr, example


@pytest.mark.parametrize("columns", ["", "60", "140"])
@pytest.mark.parametrize("words", [["models"], ["plugins"]])
def test_tables_cut_no_name(words: list[str], columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    _, printed = told(*words)
    assert "imagenet-accurate" in printed
    assert "super-resolve" in printed
    assert "\N{HORIZONTAL ELLIPSIS}" not in printed


def test_paths_and_checksums_are_whole_through_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    registry = load_registry()
    weights = registry.model("segment", "subject").weights
    assert weights is not None
    lines = CliRunner().invoke(build_app(registry), ["models", "info", "subject"]).stdout.splitlines()
    assert any(line.split()[:2] == ["sha256", weights.sha256] for line in lines)
    assert any(line.rstrip().endswith("weights/subject.safetensors") for line in lines)


def test_doctor_names_every_extra() -> None:
    declared = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(_EXTRAS) == set(declared) - {"all", "dev", "docs"}
