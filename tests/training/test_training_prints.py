"""Plugins that print while they are trained or evaluated, and tasks that are taught by clean pictures alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgai.console import prints_aside, results
from imgai.errors import UsageError


def test_prints_go_to_stderr_also_within_what_turned_them_aside_before(capsys: pytest.CaptureFixture[str]) -> None:
    real = sys.stdout
    with prints_aside():
        with prints_aside():
            print("aside")
            assert results() is real
        print("still aside")
        assert results() is real
    assert sys.stdout is real
    assert capsys.readouterr() == ("", "aside\nstill aside\n")


def test_inpaint_is_not_taught_by_pairs(train, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for part, offset in (("input", 20), ("target", 0)):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        for number in range(4):
            values = np.random.default_rng(number).integers(0, 200, (48, 48, 3)) + offset
            Image.fromarray(values.astype(np.uint8)).save(tmp_path / "pairs" / part / f"{number}.png")
    with pytest.raises(UsageError, match="inpaint is taught by clean pictures"):
        train("inpaint", tmp_path / "pairs", name="mine", epochs=1)
