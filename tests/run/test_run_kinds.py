"""A run writes a kind as its declaration says, whoever declared it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from imgai.errors import PluginError
from imgai.options import Machine
from imgai.plugin import Kind, MaskParams, Output, Page, Rendered
from imgai.predict.spec import KindSpec, StepSpec
from imgai.runs import OutputOptions, RunOptions, run
from imgai.testing import fake
from tests.run.conftest import Words

HERE = "tests.run.test_run_kinds"


def means(pages: Iterable[Page]) -> Iterator[Rendered]:
    """The number of each page with the mean of its mask and of its image."""
    rows = [
        [page.sample.source.page, int(page.output.values.float().mean()), int(page.sample.image.float().mean())]
        for page in pages
    ]
    yield Rendered(json.dumps(rows).encode(), ".json")


def picky(page: Page) -> Iterator[Rendered]:
    """Fails for one picture."""
    if page.sample.source.name == "bad.png":
        raise ValueError("nothing to say")
    yield Rendered(b"said", ".txt", label="a/b: c")


MEANS = Kind(name="means", of=Output.MASK, summary="Means.", render=f"{HERE}:means", suffixes=(".json",), once="input")
PICKY = Kind(
    name="picky", of=Output.MASK, summary="Picky.", render=f"{HERE}:picky", suffixes=(".txt",), params=MaskParams
)


def go(folder: Path, out: Path, *kinds: Kind, model: Any = fake.LIGHTNESS) -> tuple[Any, Words]:
    words = Words()
    outputs = OutputOptions(tuple(KindSpec(kind, kind.params()) for kind in kinds))
    options = RunOptions(inputs=[str(folder)], out=out, outputs=outputs, machine=Machine(device="cpu"))
    return run([StepSpec(fake.FIND_LIGHT, model, fake.LightParams())], options, words), words


def test_a_kind_of_an_input_is_given_all_pages_in_order(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    levels = [40, 90, 200]
    pages = np.stack([np.full((20, 30), level, dtype=np.uint8) for level in levels])
    tifffile.imwrite(tmp_path / "in" / "a.tif", pages, photometric="minisblack")
    summary, _ = go(tmp_path / "in", tmp_path / "out", MEANS)
    assert summary.done == 1
    assert json.loads((tmp_path / "out" / "a.json").read_text()) == [
        [number, level, level] for number, level in enumerate(levels)
    ]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == ["a.json"]


def test_a_kind_that_fails_for_a_picture_fails_that_alone(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    for name in ("bad.png", "good.png"):
        make_picture(tmp_path / "in" / name)
    summary, words = go(tmp_path / "in", tmp_path / "out", PICKY)
    assert (summary.done, summary.failed) == (1, 1)
    assert "nothing to say" in words.text
    # What file systems do not take in a name is not in it.
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == ["good.a_b_ c.txt"]


def test_a_kind_that_cannot_be_loaded_is_told_before_anything_is_done(
    tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    make_picture(tmp_path / "in" / "a.png")
    with pytest.raises(PluginError, match="the kind picky cannot be loaded"):
        go(tmp_path / "in", tmp_path / "out", dataclasses.replace(PICKY, render=f"{HERE}:nowhere"))
    assert not list((tmp_path / "out").glob("*.txt"))


def test_another_revision_is_made_again(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    make_picture(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    assert go(tmp_path / "in", out, PICKY)[0].done == 1
    assert go(tmp_path / "in", out, PICKY)[0].skipped == 1
    assert go(tmp_path / "in", out, dataclasses.replace(PICKY, revision=2))[0].done == 1
    model = dataclasses.replace(fake.LIGHTNESS, revision=2)
    assert go(tmp_path / "in", out, PICKY, model=model)[0].done == 1
