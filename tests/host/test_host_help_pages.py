"""Pages of the documentation, which errors lead to, can be read where imgai alone is installed."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from imgai.cli.help import text_of
from imgai.cli.main import COMMANDS, build_app
from imgai.cli.page import show_page
from imgai.errors import UsageError
from imgai.pages import PAGES, see
from imgai.registry import load_registry

ROOT = Path(__file__).parents[2]


def test_every_page_is_in_the_wheel_and_is_no_command() -> None:
    shared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    brought = {Path(name).stem for name in shared["shared-data"] if name.endswith(".md")}
    assert brought == set(PAGES.values())
    assert not {*PAGES} & {*(name for name, _, _ in COMMANDS), *load_registry().tasks}


def test_a_page_is_shown_as_it_is() -> None:
    answer = CliRunner().invoke(build_app(load_registry()), ["help", "formats"])
    assert answer.exit_code == 0
    assert answer.stdout == (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert see("formats").startswith("imgai help formats ")


@pytest.mark.parametrize("width", [60, 140])
@pytest.mark.parametrize("page", ["configuration", "formats", "other-models"])
def test_a_page_on_a_terminal_cuts_no_name_and_no_command(
    page: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": str(width)}.items():
        monkeypatch.setenv(name, value)
    text = text_of(page)
    show_page(text)
    shown = capsys.readouterr().out
    words = set(re.findall(r"`([^`\s]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
    commands = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert words
    assert not [word for word in words if word not in shown and len(word) <= width]
    assert not [line for line in commands if line not in shown]
    assert shown.count("…") == text.count("…")


def test_a_link_on_a_terminal_names_the_command_that_shows_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show_page("Each [record](runs.md#records) and the [design](design.md); see [the site](https://example.org/a.md).")
    shown = " ".join(capsys.readouterr().out.split())
    assert "Each record (imgai help records) and the design; see the site" in shown


def test_no_error_leads_to_a_file_that_is_not_installed() -> None:
    for path in (ROOT / "imgai").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                assert "docs/" not in ast.unparse(node), f"{path}:{node.lineno}"


def test_a_word_that_is_neither_a_command_nor_a_page_is_told_with_the_nearest() -> None:
    app = build_app(load_registry())
    for word, meant in (("format", "formats"), ("segmnt", "segment")):
        with pytest.raises(UsageError, match=rf"or page {word}; did you mean {meant}\? imgai help lists both"):
            CliRunner().invoke(app, ["help", word], catch_exceptions=False)
    listed = " ".join(CliRunner().invoke(app, ["help"]).stdout.split())
    assert ", ".join(PAGES) in listed
