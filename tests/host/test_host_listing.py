"""Tables of the command line, on terminals of several widths."""

from __future__ import annotations

import re

import pytest
from rich.table import Column, Table
from typer.testing import CliRunner

from imgai.cli.listing import show
from imgai.cli.main import build_app
from imgai.registry import load_registry

PROSE = "A network of timm, to train on pictures of your own; needs imgai-segment[timm]."


def printed(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a table on a terminal of that width."""
    for name, value in {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": str(width), "LINES": "30"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    table = Table("model", "for", "licence", Column("size", no_wrap=True), box=None)
    table.add_row("birefnet-general-lite", PROSE, "LicenseRef-checkpoint", "224.0 MB")
    show(table, spare=("licence",))
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_word_of_a_table_is_cut(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\n".join(printed(width, monkeypatch, capsys))
    assert "birefnet-general-lite" in text
    assert "imgai-segment[timm]." in text
    assert "224.0 MB" in text
    assert "…" not in text


def test_a_narrow_terminal_is_told_which_columns_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = printed(70, monkeypatch, capsys)
    assert max(map(len, narrow)) <= 70
    assert narrow[-1].endswith("a wider terminal also shows: licence")
    wide = "\n".join(printed(120, monkeypatch, capsys))
    assert "LicenseRef-checkpoint" in wide
    assert "a wider terminal" not in wide


@pytest.mark.parametrize("command", [("segment",), ("train", "segment"), ()])
def test_help_cuts_no_option(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.FORCE_TERMINAL", False)  # no colours between words, where CI wants them
    app = build_app(load_registry())
    options = {}
    for width in (400, 140, 80, 60, 40):
        monkeypatch.setenv("COLUMNS", str(width))
        answer = CliRunner().invoke(app, [*command, "--help"])
        assert answer.exit_code == 0
        assert "…" not in answer.stdout
        assert max(map(len, answer.stdout.splitlines())) <= width
        options[width] = set(re.findall(r"(?<!\S)--[a-z][\w-]+", answer.stdout))
    assert len(options[400]) >= 4
    assert all(found == options[400] for found in options.values())
