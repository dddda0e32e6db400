"""A run tells how many objects it found, in the record and in its last line."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgai.errors import UsageError
from imgai.options import Machine
from imgai.plugin import Output
from imgai.plural import plural
from imgai.predict.spec import StepSpec
from imgai.runs import OutputOptions, RunOptions, run
from imgai.testing import fake
from imgai.testing.kinds import named_kinds
from tests.run.conftest import Words, picture


def lights(path: Path, count: int) -> Path:
    """So many light squares on black."""
    pixels = np.zeros((40, 90), dtype=np.uint8)
    for number in range(count):
        pixels[10:20, 5 + 15 * number : 15 + 15 * number] = 255
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def said(words: Any, line: str) -> bool:
    """Whether a run said a line, however long it took."""
    return line in [re.sub(r" in [\d.]+ s, [^:;]+?(a second|s each)", " TIME", each) for each in words.said]


def test_a_run_counts_what_it_numbers(tmp_path: Path, find_light: Callable[..., Any]) -> None:
    for name, count in (("a", 3), ("b", 0), ("c", 5)):
        lights(tmp_path / "in" / f"{name}.png", count)
    summary, words = find_light([tmp_path / "in"], tmp_path / "out", kinds=("csv", "objects"))
    assert summary.done == 3
    assert said(words, f"3 done TIME: 8 lights in 2 pictures; no lights in 1; see {tmp_path / 'out'}")
    with (tmp_path / "out" / "counts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["count"], row["nothing_found"]) for row in rows] == [
        ("a.png", "3", "false"),
        ("b.png", "0", "true"),
        ("c.png", "5", "false"),
    ]
    records = [json.loads(line) for line in (tmp_path / "out" / ".imgai" / "records.jsonl").read_text().splitlines()]
    assert {r["input"][-5:]: r["objects"] for r in records if r["status"] == "done"} == {
        "a.png": {"light": 3},
        "b.png": {},
        "c.png": {"light": 5},
    }
    # What was done before is in the table still, and a picture more joins it.
    lights(tmp_path / "in" / "d.png", 1)
    summary, _ = find_light([tmp_path / "in"], tmp_path / "out", kinds=("csv", "objects"))
    assert (summary.done, summary.skipped) == (1, 3)
    assert len((tmp_path / "out" / "counts.csv").read_text().splitlines()) == 5
    assert len((tmp_path / "out" / "objects.csv").read_text().splitlines()) == 10


def test_a_table_is_not_called_as_its_folder_would_be(tmp_path: Path, find_light: Callable[..., Any]) -> None:
    lights(tmp_path / "a.png", 1)
    with pytest.raises(UsageError, match=r"--as csv is counts\.csv in a folder"):
        find_light([tmp_path / "a.png"], tmp_path / "cells.csv", kinds=("csv",))
    assert not (tmp_path / "cells.csv").exists()


def test_a_run_of_masks_tells_where_nothing_was_found(tmp_path: Path, find_light: Callable[..., Any]) -> None:
    for name, count in (("a", 3), ("b", 0)):
        lights(tmp_path / "in" / f"{name}.png", count)
    _, words = find_light([tmp_path / "in"], tmp_path / "out")
    assert said(words, f"2 done TIME; no light in 1; see {tmp_path / 'out'}")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("person",), "no people in 1"),
        (("person", "car"), "no people or cars in 1"),
        (tuple("abcd"), "nothing in 1"),
    ],
)
def test_a_run_of_boxes_names_what_was_looked_for_and_not_found(
    tmp_path: Path, labels: tuple[str, ...], said: str
) -> None:
    model = dataclasses.replace(fake.EXTENT, labels=labels)
    Image.new("L", (40, 30)).save(tmp_path / "dark.png")
    outputs = OutputOptions(named_kinds("json", of=Output.BOXES))
    told = RunOptions(
        inputs=[str(tmp_path / "dark.png")], out=tmp_path / "out", outputs=outputs, machine=Machine(device="cpu")
    )
    words = Words()
    run([StepSpec(fake.BOX_LIGHT, model)], told, words)
    assert f"; {said}; see" in words.text


def test_a_file_that_its_suffix_explains_has_no_kind_in_its_name(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    outputs = OutputOptions(named_kinds("json", "overlay", of=Output.BOXES))
    told = RunOptions(
        inputs=[str(tmp_path / "a.png")], out=tmp_path / "out", outputs=outputs, machine=Machine(device="cpu")
    )
    run([StepSpec(fake.BOX_LIGHT, fake.EXTENT)], told, Words())
    assert sorted(path.name for path in (tmp_path / "out").glob("a*")) == ["a-overlay.jpg", "a.json"]


@pytest.mark.parametrize(
    ("one", "several"),
    [
        *(("nucleus", "nuclei"), ("person", "people"), ("bus", "buses"), ("wine glass", "wine glasses")),
        *(("sheep", "sheep"), ("cell nucleus", "cell nuclei"), ("knife", "knives"), ("toothbrush", "toothbrushes")),
        *(("berry", "berries"), ("toy", "toys"), ("Zelle 2", "Zelle 2")),
    ],
)
def test_names_of_several(one: str, several: str) -> None:
    assert plural(one) == several
