"""Tables of the command line, on terminals of several widths."""

from __future__ import annotations

import pytest
from rich.table import Column, Table

from imgai.cli.listing import show

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
