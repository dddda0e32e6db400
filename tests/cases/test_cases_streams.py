"""A full disk behind standard output is one line that says why, for every way to write there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Shell = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("words", ["denoise in -o -", "classify in", "models"])
def test_a_full_standard_output_is_one_line(shell: Shell, tmp_path: Path, words: str) -> None:
    """Once it was a traceback, and for some of these Python's own end with 120 or 134.

    What `--json` and `-o -` of one picture do, and closed streams, is tested with other runs.
    """
    (tmp_path / "in").mkdir()
    for number in range(2):
        Image.new("L", (64, 64), number * 40).save(tmp_path / "in" / f"{number}.png")
    answer = shell(f"$imgai {words} > /dev/full")
    assert answer.returncode == 1, answer
    assert "Traceback" not in answer.stderr
    (line,) = [line for line in answer.stderr.splitlines() if "error" in line]
    assert "No space left on device" in line
    assert answer.stderr.splitlines()[-1] == line
