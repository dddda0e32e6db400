"""``imgai undo`` takes away what imgai made and nothing else, and the next run makes it again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from imgai.cli.undo import _undo
from imgai.console import Console
from imgai.errors import UsageError
from imgai.runs.undo import undo
from imgai.runs.workers import Worker
from imgai.stores import LocalStore


@pytest.fixture
def pair(tmp_path: Path, make_picture: Any) -> Path:
    for seed, name in enumerate(("a.png", "trip/b.png")):
        make_picture(tmp_path / "in" / name, seed=seed)
    return tmp_path / "in"


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_all_that_was_made_goes_and_is_made_again(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    asked = {"kinds": ("mask", "cutout", "csv"), "contact": out / "sheet.jpg", "report": out / "page.html"}
    find_light([pair], out, **asked)
    made = below(out)
    assert {"a-mask.png", "trip/b-cutout.png", "counts.csv", "sheet.jpg", "page.html"} <= made
    foreseen = undo(out, dry_run=True)
    assert below(out) == made, "a dry run removes nothing"
    undone = undo(out)
    assert undone.removed == foreseen.removed
    assert len(undone.removed) == 7
    assert below(out) == set()
    assert find_light([pair], out, **asked)[0].done == 2
    notes = ".imgai/workers/"  # of runs, each under a name of its own
    assert {name for name in below(out) if notes not in name} == {name for name in made if notes not in name}


def test_what_was_edited_stays_and_is_not_overwritten(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out, kinds=("mask", "csv"))
    content = (out / "a.png").read_bytes()
    (out / "a.png").write_bytes(content[:-1] + b"!")  # as long as it was
    (out / "notes.txt").write_text("mine")
    undone = undo(out)
    assert undone.kept == [(out / "a.png", "it has changed since imgai made it")]
    assert {path for path in below(out) if ".imgai/" not in path} == {"a.png", "notes.txt", ".imgai"}
    with pytest.raises(UsageError, match="it has changed since imgai made it"):
        find_light([pair], out, kinds=("mask", "csv"))
    assert find_light([pair], out, kinds=("mask", "csv"), overwrite=True)[0].done == 2, "all inputs are done again"
    assert undo(out).kept == []
    assert below(out) == {"notes.txt"}


def test_nothing_is_taken_away_while_a_run_goes_on(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    run = Worker(LocalStore(out / ".imgai"), {"run": "find-light"})
    run.begin()
    with pytest.raises(UsageError, match=f"a run is writing into .*: process {os.getpid()} on "):
        undo(out)
    assert len(undo(out, dry_run=True).removed) == 2
    run.end()
    assert len(undo(out).removed) == 2


def test_the_table_goes_and_copies_elsewhere_stay(pair: Path, tmp_path: Path, weigh: Any) -> None:
    table, sorted_ = tmp_path / "out" / "labels.csv", tmp_path / "sorted"
    weigh([pair], table, sort_into=sorted_, write_xmp=True)
    undone = undo(table.parent)
    assert undone.removed == [table]
    assert {why for _, why in undone.kept} == {"it lies elsewhere"}
    assert len(undone.kept) == 4
    assert (pair / "a.png.xmp").exists()
    assert weigh([pair], table, sort_into=sorted_, write_xmp=True)[0].done == 2


def test_pictures_that_were_sorted_before_stay(pair: Path, tmp_path: Path, weigh: Any) -> None:
    # The input itself, by its own name or by a link, lies where its copy would go; and so does somebody's own copy.
    weigh([pair / "a.png"], tmp_path / "t.csv", sort_into=tmp_path / "first")
    (copy,) = (tmp_path / "first").rglob("a.png")
    label = copy.parent.name
    for out, named in (("itself", None), ("linked", tmp_path / "a.png"), ("copied", pair / "a.png")):
        mine = tmp_path / out / label / "a.png"
        mine.parent.mkdir(parents=True)
        mine.write_bytes(copy.read_bytes())
        if out == "linked":
            (tmp_path / "a.png").symlink_to(mine)
        for _ in range(2):
            weigh([named or mine], tmp_path / out / "t.csv", sort_into=tmp_path / out, force=True)
            records = tmp_path / out / ".imgai" / "t.csv.jsonl"
            if out != "copied":  # as records did not tell before
                records.write_text(records.read_text().replace('"found": true', '"found": false'))
            kept = records.read_text()
            assert undo(tmp_path / out).removed == [tmp_path / out / "t.csv"]
            assert mine.is_file()
            records.parent.mkdir(exist_ok=True)
            records.write_text(kept)


def test_a_copy_that_is_found_again_is_still_imgais(pair: Path, tmp_path: Path, weigh: Any) -> None:
    for _ in range(2):
        weigh([pair], tmp_path / "out" / "t.csv", sort_into=tmp_path / "out", force=True)
    assert len(undo(tmp_path / "out").removed) == 3
    assert below(tmp_path / "out") == set()


def test_records_behind_a_link_are_left_alone(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    (out / ".imgai").rename(tmp_path / "records")
    (out / ".imgai").symlink_to(tmp_path / "records")
    before = below(out)
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="is a link"):
            undo(out, dry_run=dry_run)
    assert below(out) == before


def test_results_beside_the_originals_go_alone(pair: Path, find_light: Any) -> None:
    before = below(pair)
    find_light([pair], pair, kinds=("mask", "labels"))
    assert len(undo(pair).removed) == 4
    assert below(pair) == before


def test_records_name_nothing_outside_of_the_folder(pair: Path, tmp_path: Path, find_light: Any) -> None:
    # Whoever made the records: a line with `..` in it, or a folder that is a link by now, removes nothing elsewhere.
    out, other = tmp_path / "out", tmp_path / "other"
    find_light([pair], out)
    other.mkdir()
    (out / "trip" / "b.png").rename(other / "b.png")
    (out / "trip").rmdir()
    (out / "trip").symlink_to(other)
    records = out / ".imgai" / "records.jsonl"
    record = next(json.loads(line) for line in records.read_text().splitlines() if '"done"' in line)
    (tmp_path / "a.png").write_bytes((out / "a.png").read_bytes())
    record["outputs"][0]["path"] = "../a.png"
    with records.open("a") as file:
        file.write(json.dumps(record) + "\n")
    undone = undo(out)
    assert [why for _, why in undone.kept] == ["it lies elsewhere"] * 2
    assert (tmp_path / "a.png").exists()
    assert (other / "b.png").exists()


def test_records_of_names_that_no_file_has_are_damaged(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    records = out / ".imgai" / "records.jsonl"
    record = next(json.loads(line) for line in records.read_text().splitlines() if '"done"' in line)
    with records.open("a") as file:
        for name in ("\ud800.png", "\0.png", 5, ["a.png"]):
            wrong = {**record, "path": "/x.png", "outputs": [{**record["outputs"][0], "path": name}]}
            lines = (wrong, {**record, "path": name}, {**wrong, "status": "begun", "kind": "mask", "output": name})
            file.writelines(json.dumps(line) + "\n" for line in lines)
    assert find_light([pair], out)[0].skipped == 2
    assert len(undo(out).removed) == 2
    assert below(out) == set()


def test_what_a_run_was_cut_off_in_stays(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    records = out / ".imgai" / "records.jsonl"
    lines = [line for line in records.read_text().splitlines() if '"done"' not in line]
    records.write_text("\n".join(lines) + "\n")
    assert [why for _, why in undo(out).kept] == ["the run that wrote it was cut off"] * 2
    assert (out / "a.png").exists()


def test_a_folder_without_records_is_refused(pair: Path, tmp_path: Path, find_light: Any) -> None:
    with pytest.raises(UsageError, match="holds no records"):
        undo(pair)
    with pytest.raises(UsageError, match="is not there"):
        undo(tmp_path / "nowhere")
    find_light([pair], tmp_path / "out")
    with pytest.raises(UsageError, match=f"those of {tmp_path / 'out'} are there"):
        undo(tmp_path / "out" / "trip")


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may remove everything")
def test_what_cannot_be_removed_is_told(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    (out / "trip").chmod(0o500)
    try:
        assert _undo(out, dry_run=False, console=Console(quiet=True)) == 1
        assert (out / "trip" / "b.png").exists()
        assert not (out / "a.png").exists()
    finally:
        (out / "trip").chmod(0o700)
