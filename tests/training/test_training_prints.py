"""Plugins that print while they are trained or evaluated, and tasks that are taught by clean pictures alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from imgai.console import prints_aside, results
from imgai.errors import UsageError
from imgai.plugin import Output
from imgai.predict.machine import CPU
from imgai.testing import fake
from imgai.training.dataset import Dataset
from imgai.training.example import Example
from imgai.training.validation import measure


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


def test_validation_of_a_fill_counts_the_pixels_of_its_holes(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), (100, 100, 100)).save(tmp_path / "a.png")
    example = Example(tmp_path / "a.png", 0, None, "", "", "a.png", (40, 40))
    dataset = Dataset(Output.IMAGE, (), {"val": (example,)}, (), "")

    def spoil(clean: Tensor, generator: torch.Generator) -> Tensor:
        mask = torch.zeros_like(clean[:, :1])
        mask[..., 10:20, 10:20] = 1
        return torch.cat(((clean + 51 / 255) * (1 - mask), mask), 1)  # what is filled is 51 levels too bright

    told = measure(fake.PAINT_OVER, fake.EVEN, dataset, CPU, spoil=spoil).figures
    assert told.score == pytest.approx(20 * np.log10(5), abs=0.01)
