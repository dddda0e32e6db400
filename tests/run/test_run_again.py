"""The same command again does only what is missing or changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def three(tmp_path: Path, make_picture: Any) -> Path:
    for seed in range(3):
        make_picture(tmp_path / "in" / f"{seed}.png", seed=seed)
    return tmp_path / "in"


def counts(answer: Any) -> tuple[int, int, int]:
    summary = answer[0]
    return summary.done, summary.skipped, summary.failed


def test_nothing_changed(three: Path, tmp_path: Path, find_light: Any) -> None:
    assert counts(find_light([three], tmp_path / "out")) == (3, 0, 0)
    assert counts(find_light([three], tmp_path / "out")) == (0, 3, 0)


def test_a_changed_input_is_done_again(three: Path, tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    find_light([three], tmp_path / "out")
    before = (tmp_path / "out" / "1.png").read_bytes()
    make_picture(three / "1.png", seed=9)
    assert counts(find_light([three], tmp_path / "out")) == (1, 2, 0)
    assert (tmp_path / "out" / "1.png").read_bytes() != before


def test_a_touched_input_of_the_same_size_is_done_again(three: Path, tmp_path: Path, find_light: Any) -> None:
    find_light([three], tmp_path / "out")
    os.utime(three / "1.png", ns=(1, 1))
    assert counts(find_light([three], tmp_path / "out")) == (1, 2, 0)


def test_a_lost_output_is_made_again(three: Path, tmp_path: Path, find_light: Any) -> None:
    find_light([three], tmp_path / "out")
    (tmp_path / "out" / "0.png").unlink()
    assert counts(find_light([three], tmp_path / "out")) == (1, 2, 0)


def test_other_params_and_other_outputs_are_other_work(three: Path, tmp_path: Path, find_light: Any) -> None:
    find_light([three], tmp_path / "out")
    assert counts(find_light([three], tmp_path / "out", params={"gain": 2.0})) == (3, 0, 0)
    kinds = ("binary", "overlay")
    assert counts(find_light([three], tmp_path / "out", params={"gain": 2.0}, kinds=kinds)) == (3, 0, 0)
    assert counts(find_light([three], tmp_path / "out", params={"gain": 2.0}, kinds=kinds)) == (0, 3, 0)
    assert counts(find_light([three], tmp_path / "out", params={"gain": 2.0})) == (0, 3, 0), "neither undoes the other"


def test_force_does_all(three: Path, tmp_path: Path, find_light: Any) -> None:
    find_light([three], tmp_path / "out")
    assert counts(find_light([three], tmp_path / "out", force=True)) == (3, 0, 0)


def test_what_failed_is_tried_again(three: Path, tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    (three / "1.png").write_text("no picture")
    assert counts(find_light([three], tmp_path / "out")) == (2, 0, 1)
    make_picture(three / "1.png")
    assert counts(find_light([three], tmp_path / "out")) == (1, 2, 0)


def test_a_torn_last_record_costs_that_input_alone(three: Path, tmp_path: Path, find_light: Any) -> None:
    find_light([three], tmp_path / "out")
    records = tmp_path / "out" / ".imgai" / "records.jsonl"
    content = records.read_bytes()
    records.write_bytes(content[:-40])
    assert counts(find_light([three], tmp_path / "out")) == (1, 2, 0)
    assert counts(find_light([three], tmp_path / "out")) == (0, 3, 0)


def test_a_new_input_in_an_old_folder(three: Path, tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    find_light([three], tmp_path / "out")
    make_picture(three / "new.png")
    assert counts(find_light([three], tmp_path / "out")) == (1, 3, 0)


def test_records_say_what_was_done(three: Path, tmp_path: Path, find_light: Any) -> None:
    _, words = find_light([three / "0.png"], tmp_path / "out", json=True)
    record, ended = (json.loads(line) for line in words.lines)
    assert record["schema"] == 2
    assert record["status"] == "done"
    assert record["input"] == str(three / "0.png")
    counts = {name: ended[name] for name in ("status", "done", "skipped", "failed", "nothing_found", "interrupted")}
    assert counts == {
        "status": "ended", "done": 1, "skipped": 0, "failed": 0, "nothing_found": 0, "interrupted": False,
    }  # fmt: skip
    assert (record["width"], record["height"], record["pages"]) == (40, 30, 1)
    (output,) = record["outputs"]
    assert output["bytes"] == (tmp_path / "out" / output["path"]).stat().st_size
    assert 0 < record["classes"]["light"] < 1
    _, words = find_light([three / "0.png"], tmp_path / "out", json=True)
    assert json.loads(words.lines[0])["status"] == "skipped"


def test_a_new_input_takes_no_output_of_one_that_was_done(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    years = [make_picture(tmp_path / year / "a.png", seed=seed).parent for seed, year in enumerate("123")]
    find_light(years[1:], tmp_path / "out")
    find_light(years, tmp_path / "out")
    made = {path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    for year in years:
        find_light([year], tmp_path / "alone" / year.name)
        assert (tmp_path / "alone" / year.name / "a.png").read_bytes() in made
    assert counts(find_light(years, tmp_path / "out")) == (0, 3, 0)
    assert counts(find_light([years[0], years[2], years[1]], tmp_path / "out")) == (2, 1, 0)


def test_an_output_is_of_the_input_that_was_written_there_last(
    tmp_path: Path, brighten: Any, make_picture: Any
) -> None:
    """Both outputs are of one size."""
    one, other = (make_picture(tmp_path / name / "a.bmp", seed=seed) for seed, name in enumerate("pq"))
    brighten([one], tmp_path / "out")
    before = (tmp_path / "out" / "a.bmp").read_bytes()
    brighten([other], tmp_path / "out", overwrite=True)
    assert len((tmp_path / "out" / "a.bmp").read_bytes()) == len(before)
    assert counts(brighten([one], tmp_path / "out", overwrite=True)) == (1, 0, 0)
    assert (tmp_path / "out" / "a.bmp").read_bytes() == before
