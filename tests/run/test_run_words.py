"""What a run says while it goes and when it is over, to people, to a log and to programs."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console as RichConsole

from imgai.cli.start import start
from imgai.console import Console
from imgai.errors import InputError, UsageError
from imgai.images.header import format_of
from imgai.log import Log
from imgai.runs.listeners.progress import Progress
from imgai.runs.names import Plan
from imgai.runs.naming import Naming
from imgai.runs.options import RunOptions


@pytest.fixture
def pair(tmp_path: Path, make_picture: Any) -> Path:
    make_picture(tmp_path / "in" / "a.png", seed=1)
    make_picture(tmp_path / "in" / "trip" / "b.png", seed=2)
    return tmp_path / "in"


def black(path: Path) -> Path:
    Image.fromarray(np.zeros((30, 40), dtype=np.uint8)).save(path)
    return path


def test_a_run_says_what_runs_where_and_how_fast_and_what_is_next(pair: Path, tmp_path: Path, find_light: Any) -> None:
    _, words = find_light([pair], tmp_path / "out")
    first, last = words.said
    assert re.fullmatch(r"find-light/lightness on cpu \(fp32, torch, \d+ threads?\)", first)
    assert re.fullmatch(rf"2 done in [\d.]+ s, [\d.]+ (a second|s each); see {tmp_path / 'out'}", last)
    (pair / "c.png").write_bytes(b"no picture")
    _, words = find_light([pair], tmp_path / "out", force=True)
    assert words.said[-1] == "next: mend what failed and run the same command again; it does only what is missing"


def test_nothing_found_is_a_failure_where_that_is_asked_for(pair: Path, tmp_path: Path, find_light: Any) -> None:
    assert find_light([pair], tmp_path / "out", fail_if_empty=True)[0].exit_code == 0
    black(pair / "dark.png")
    for _ in ("now", "as before"):
        summary, words = find_light([pair], tmp_path / "out", fail_if_empty=True)
        assert summary.exit_code == 1
        assert f"error: nothing was found in {pair / 'dark.png'}, and --fail-if-empty was given" in words.said
    assert find_light([pair], tmp_path / "out")[0].exit_code == 0


def test_what_looks_for_nothing_cannot_fail_so(pair: Path, tmp_path: Path, brighten: Any) -> None:
    with pytest.raises(UsageError, match="--fail-if-empty: brighten looks for nothing"):
        brighten([pair], tmp_path / "out", fail_if_empty=True)


def test_the_last_line_for_programs_is_how_it_went(pair: Path, tmp_path: Path, find_light: Any) -> None:
    black(pair / "dark.png")
    _, words = find_light([pair], tmp_path / "out", json=True, dry_run=True)
    assert json.loads(words.lines[-1])["planned"] == 3
    _, words = find_light([pair], tmp_path / "out", json=True)
    ended = json.loads(words.lines[-1])
    assert (ended["status"], ended["done"], ended["nothing_found"]) == ("ended", 3, 1)
    assert ended["seconds"] >= 0


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{stem}-{task}{ext}", "a-find-light.png"),
        ("{stem}_{model}", "a_lightness.png"),
        ("mask of {stem}{ext}", "mask of a.png"),
        ("{{{stem}}}{ext}", "{a}.png"),
    ],
)
def test_files_are_called_as_asked(template: str, name: str, pair: Path, tmp_path: Path, find_light: Any) -> None:
    assert find_light([pair / "a.png"], tmp_path / "out", name=template)[0].done == 1
    assert (tmp_path / "out" / name).is_file()


def test_results_lie_beside_the_originals(pair: Path, make_picture: Any, find_light: Any) -> None:
    asked = {"name": "{stem}-{task}{ext}", "kinds": ("mask", "labels")}
    make_picture(pair / "a.jpg")
    assert find_light([pair], pair, **asked)[0].done == 3
    made = {"a.png-find-light-mask.png", "a.jpg-find-light-labels.png", "trip/b-find-light-mask.png"}
    assert made <= {path.relative_to(pair).as_posix() for path in pair.rglob("*.png")}
    assert find_light([pair], pair, **asked)[0].skipped == 3, "what was made is no input"
    assert find_light([pair], pair, kinds=("mask", "labels"), name="x-{stem}{ext}")[0].done == 3


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{task}{ext}", "would be called the same; put {stem} into it"),
        ("{stem}/{task}{ext}", "is the name of a file, not a path"),
        ("..", "nothing is left of it"),
        ("{ext}{stem}", "{ext} is the end of a name"),
        ("{folder}{ext}", "there is no {folder}; there is {stem}, {task}, {model}, {ext}"),
        ("{stem.__class__}", "there is no {stem.__class__}"),
        ("{stem:>9}", "there is no {stem}"),
        ("{stem", "a brace itself is written {{"),
    ],
)
def test_names_that_cannot_be_are_refused_first(
    template: str, why: str, pair: Path, tmp_path: Path, find_light: Any
) -> None:
    with pytest.raises(UsageError) as refused:
        find_light([pair], tmp_path / "out", name=template)
    assert why in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_taken_is_refused_first(pair: Path, make_picture: Any, find_light: Any, brighten: Any) -> None:
    theirs = make_picture(pair / "a-big.png", seed=9).read_bytes()
    with pytest.raises(UsageError, match=r"a-big\.png is an input, and would be overwritten"):
        brighten([pair], pair, name="{stem}-big{ext}")
    with pytest.raises(UsageError, match=r"a-big\.png \(imgai has no record of it\)"):
        brighten([pair / "a.png", pair / "trip"], pair, name="{stem}-big{ext}")
    assert (pair / "a-big.png").read_bytes() == theirs
    with pytest.raises(UsageError, match="leave out one of them"):
        find_light([pair / "a.png"], pair / "mask.png", name="{stem}{ext}")


def test_one_picture_may_be_called_anything() -> None:
    assert Naming("mask{ext}", [])("a") == "mask"


def test_a_log_holds_what_was_said_and_nobody_elses_file(tmp_path: Path) -> None:
    path = tmp_path / "imgai.log"
    for _ in range(2):
        console = Console(quiet=True)
        console.log = Log(path)
        console.say("on cpu")
        console.detail("a.png\nis done")
        console.warn("slow")
    lines = path.read_text().splitlines()
    assert len(lines) == 6, "every line begins with its time, also where a name holds a newline"
    assert [line[20:] for line in lines[:3]] == ["on cpu", r"a.png\nis done", "warning: slow"]
    mine = tmp_path / "notes.txt"
    mine.write_text("mine")
    with pytest.raises(UsageError, match="no log of imgai's"):
        Log(mine)
    assert mine.read_text() == "mine"
    for name, taken in (("empty.py", False), ("empty.log", True), ("tmp.x7Qa", True)):
        (tmp_path / name).touch()
        with contextlib.nullcontext() if taken else pytest.raises(UsageError, match="no log of imgai's"):
            Log(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be written"):
        Log(tmp_path)


@pytest.mark.parametrize(
    ("option", "what"), [("out", "--out"), ("report", "--report"), ("contact", "--contact"), ("input", "an input")]
)
def test_the_log_is_none_of_the_other_files(tmp_path: Path, option: str, what: str) -> None:
    log = tmp_path / "x" / ".." / "same.jpg"
    (tmp_path / "x").mkdir()
    named = {} if option == "input" else {option: tmp_path / "same.jpg"}
    inputs = (str(tmp_path / ("same.jpg" if option == "input" else "a.jpg")),)
    with pytest.raises(UsageError, match=what):
        start([], RunOptions(inputs=inputs, log=log, **named))
    assert not (tmp_path / "same.jpg").exists()


def test_fewer_bits_than_a_picture_had_are_told_once(tmp_path: Path, brighten: Any) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(path)
    for name, told in (("x.jpg", True), ("y.png", False)):
        _, words = brighten([path], tmp_path / name)
        assert ("1 picture of more than 8 bits got 8" in words.text) is told


@pytest.mark.parametrize("width", [60, 80, 140])
def test_tiles_are_told_on_two_lines_of_any_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from imgai.runs import job
    from imgai.runs.listeners import progress
    from imgai.runs.scan import Input

    shown = io.StringIO()
    console = Console()
    console._err = RichConsole(file=shown, width=width, force_terminal=True, height=20)
    monkeypatch.setattr(progress, "_BAR_EVERY", 0.0)
    now = 100.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    listener = Progress(console)
    one = job.Job(Plan(Input(Path("in") / f"{'long name ' * 9}[1].tif", f"{'long name ' * 9}[1].tif"), Path(), ()), "")
    listener._total = 1
    for tile in range(1, 5):
        now += 0.5 if tile == 4 else 0.001  # three tiles of one batch, told at once
        listener.advanced(one, "denoise/photo", tile, 12)
    assert listener._bar is not None
    listener._bar._progress.refresh()
    listener.stop()
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.getvalue())
    assert re.search(r"denoise/photo, tile 4 of 12, 2\.0 a second: long name", text)
    assert "4/12" in text
    assert max(map(len, re.split(r"[\r\n]+", text))) <= width


def test_tiles_of_a_large_picture_are_told_in_a_log(
    tmp_path: Path, make_picture: Any, brighten: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgai.runs.listeners import progress

    monkeypatch.setattr(progress, "_LINE_EVERY", 0.0)
    _, words = brighten([make_picture(tmp_path / "a.png", (200, 120))], tmp_path / "out")
    assert any(re.fullmatch(r"brighten/double, tile \d+ of \d+.*: a\.png", line) for line in words.said)


@pytest.mark.parametrize(
    ("name", "head", "what", "first"),
    [
        ("a b.pdf", b"%PDF-1.7\n", "it is a PDF", "pdftoppm -r 300 -tiff 'a b.pdf' page"),
        ("film.mp4", b"\0\0\0\x20ftypisom\0\0\0\0", "it is a film", "ffmpeg -i film.mp4 frame-%05d.png"),
        ("film.jpg", b"RIFF\0\0\0\0AVI LIST", "it is a film", "ffmpeg"),
        ("all.zip", b"PK\x03\x04rest", "it is an archive", "unpack it first"),
        ("logo.svg", b'<?xml version="1.0"?><svg xmlns="">', "a drawing of vectors", "rsvg-convert"),
    ],
)
def test_what_is_no_picture_says_what_to_do_first(
    tmp_path: Path, name: str, head: bytes, what: str, first: str
) -> None:
    (tmp_path / name).write_bytes(head)
    with pytest.raises(InputError) as refused:
        format_of(tmp_path / name, name)
    assert what in refused.value.message
    assert first in refused.value.hint


def test_an_address_and_films_in_a_folder_say_what_to_do_first(pair: Path, tmp_path: Path, find_light: Any) -> None:
    with pytest.raises(UsageError, match=r"ftp:// is not known.*curl -LO"):
        find_light(["ftp://example.org/a.jpg"], tmp_path / "out")
    (pair / "clip.mp4").write_bytes(b"film")
    _, words = find_light([pair], tmp_path / "out")
    assert any("1 .mp4 is not read; a film: take pictures out of it first: ffmpeg" in line for line in words.said)


@pytest.mark.parametrize("columns", ["60", "80", "140"])
def test_imgai_alone_shows_how_to_begin(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    answer = subprocess.run([sys.executable, "-m", "imgai"], capture_output=True, text=True)
    assert answer.returncode == 2
    lines = answer.stdout.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("  imgai ")] == [
        "try", "segment", "super-resolve", "chain",
    ]  # fmt: skip
    assert {"segment", "undo", "models", "doctor"} <= {line.split()[0] for line in lines if line.startswith("  ")}
    assert max(map(len, lines)) <= int(columns)


def test_brackets_in_help_are_shown() -> None:
    command = [sys.executable, "-m", "imgai", "classify", "--help"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert "imgai-classify[timm]" in answer.stdout.replace("\n", "")
