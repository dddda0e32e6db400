"""What a person may name, and where the outputs of it go."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from imgai.errors import UsageError
from imgai.runs.names import stem_of

ODD_NAMES = ["with spaces.png", "ümläut é.png", "📷 emoji.png", "[brackets] *.png", "-dash.png", "new\nline.png"]


def outputs(out: Path) -> list[str]:
    return sorted(
        path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file() and ".imgai" not in path.parts
    )


def test_a_folder_is_mirrored(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    for name in ("a.png", "deep/b.jpg", "deep/deeper/c.tif", ".hidden/d.png", "deep/.e.png"):
        make_picture(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    summary, _ = find_light([tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failed) == (3, 0)
    assert outputs(tmp_path / "out") == ["a.png", "deep/b.png", "deep/deeper/c.png"]


def test_a_picture_is_known_by_its_content(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "jpeg.jpg").rename(tmp_path / "in" / "jpeg.png")
    make_picture(tmp_path / "in" / "bare.png").rename(tmp_path / "in" / "bare")
    summary, _ = find_light([tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failed) == (2, 0)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_survive(tmp_path: Path, find_light: Any, make_picture: Any, name: str) -> None:
    make_picture(tmp_path / "in" / name)
    summary, _ = find_light([tmp_path / "in"], tmp_path / "out")
    assert summary.done == 1
    assert outputs(tmp_path / "out") == [name]


def test_a_name_that_is_no_utf8_survives_and_is_skipped_the_next_time(
    tmp_path: Path, find_light: Any, make_picture: Any
) -> None:
    raw = tmp_path / "in" / os.fsdecode(b"caf\xe9.png")
    make_picture(tmp_path / "in" / "plain.png")
    try:
        (tmp_path / "in" / "plain.png").rename(raw)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    summary, words = find_light([tmp_path / "in"], tmp_path / "out", json=True)
    assert summary.done == 1
    assert "caf\udce9.png" in [path.name for path in (tmp_path / "out").iterdir()]
    assert words.lines[0].isascii()
    assert find_light([tmp_path / "in"], tmp_path / "out")[0].skipped == 1


def test_a_name_of_dots_alone_keeps_its_suffix(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "a.png").rename(tmp_path / "..png")
    assert find_light([tmp_path / "..png"], tmp_path / "out")[0].done == 1
    assert outputs(tmp_path / "out") == ["..png.png"]


def test_two_inputs_that_want_one_output_get_two_and_are_told(
    tmp_path: Path, find_light: Any, make_picture: Any
) -> None:
    for name in ("a.png", "a.jpg", "b.png", "B.jpg"):
        make_picture(tmp_path / "in" / name)
    summary, words = find_light([tmp_path / "in"], tmp_path / "out")
    assert summary.done == 4
    assert outputs(tmp_path / "out") == ["B.jpg.png", "a.jpg.png", "a.png.png", "b.png.png"]
    assert "would share an output" in words.text


def test_files_of_one_name_from_two_folders_get_two_outputs(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    one, two = make_picture(tmp_path / "1" / "a.png", seed=1), make_picture(tmp_path / "2" / "a.png", seed=2)
    summary, words = find_light([one, two], tmp_path / "out")
    assert summary.done == 2
    assert outputs(tmp_path / "out") == ["a-2.png", "a.png"]
    assert words.text.count("warning") == 1


def test_a_file_named_twice_is_taken_once(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    path = make_picture(tmp_path / "in" / "a.png")
    summary, _ = find_light([path, path, tmp_path / "in"], tmp_path / "out")
    assert summary.done == 1


def test_an_output_folder_inside_the_input_is_left_out(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "a.png")
    assert find_light([tmp_path], tmp_path / "masks")[0].done == 1
    summary, words = find_light([tmp_path], tmp_path / "masks")
    assert (summary.done, summary.skipped) == (0, 1)
    assert "lies inside the input" in words.text


def test_outputs_beside_the_inputs_become_no_inputs(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "deep" / "a.jpg")
    assert find_light([tmp_path / "in"], tmp_path / "in")[0].done == 1
    assert outputs(tmp_path / "in") == ["deep/a.jpg", "deep/a.png"]
    summary, _ = find_light([tmp_path / "in"], tmp_path / "in")
    assert (summary.done, summary.skipped) == (0, 1)
    find_light([tmp_path / "in"], tmp_path / "in", kinds=("binary", "mask"))
    find_light([tmp_path / "in"], tmp_path / "in", force=True)
    assert outputs(tmp_path / "in") == ["deep/a-binary.png", "deep/a-mask.png", "deep/a.jpg", "deep/a.png"]


def test_an_input_is_never_overwritten(tmp_path: Path, find_light: Any, brighten: Any, make_picture: Any) -> None:
    path = make_picture(tmp_path / "a.png")
    before = path.read_bytes()
    for run in (find_light, brighten):
        with pytest.raises(UsageError, match="would be overwritten"):
            run([tmp_path], tmp_path)
        with pytest.raises(UsageError, match="would be overwritten"):
            run([path], path)
    assert path.read_bytes() == before


def test_a_pipe_that_is_named_is_refused(tmp_path: Path, find_light: Any) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is a pipe"):
        find_light([tmp_path / "pipe"], tmp_path / "out")


def test_a_loop_of_links_ends(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "deep" / "a.png")
    (tmp_path / "in" / "deep" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in" / "self")
    summary, _ = find_light([tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failed) == (1, 0)


def test_globs_that_the_shell_did_not_expand(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    for name in ("a1.png", "a2.png", "b.png"):
        make_picture(tmp_path / "in" / name)
    assert find_light([tmp_path / "in" / "a*.png"], tmp_path / "out")[0].done == 2
    with pytest.raises(UsageError, match="nothing matches"):
        find_light([tmp_path / "in" / "z*.png"], tmp_path / "out")


@pytest.mark.parametrize("null", [False, True])
def test_lists(tmp_path: Path, find_light: Any, make_picture: Any, null: bool) -> None:
    names = [make_picture(tmp_path / "in" / name) for name in ("a.png", "b c.png")]
    listed = tmp_path / "list.txt"
    listed.write_bytes(b"".join(os.fsencode(name) + (b"\0" if null else b"\r\n") for name in names))
    assert find_light([f"@{listed}"], tmp_path / "out", null=null)[0].done == 2


def test_standard_input(tmp_path: Path, find_light: Any, make_picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_picture(tmp_path / "a.png").open("rb") as file:
        monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": file}))
        assert find_light(["-"], tmp_path / "mask.png")[0].done == 1
    assert (tmp_path / "mask.png").exists()


def test_one_input_may_have_a_named_output(tmp_path: Path, brighten: Any, make_picture: Any) -> None:
    from PIL import Image

    brighten([make_picture(tmp_path / "a.png")], tmp_path / "big.jpg")
    with Image.open(tmp_path / "big.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (80, 60))
    with pytest.raises(UsageError, match="is not called like --format jpg"):
        brighten([tmp_path / "a.png"], tmp_path / "big.png", format="jpg")


@pytest.mark.parametrize("named", ["nowhere.png", "empty"])
def test_nothing_to_do_is_wrong_usage(tmp_path: Path, find_light: Any, named: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError):
        find_light([tmp_path / named], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_kinds_and_pages_have_names_of_their_own(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    import numpy as np
    import tifffile

    pages = np.random.default_rng(0).integers(0, 255, (3, 20, 30), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "p.tif", pages, photometric="minisblack")
    find_light([tmp_path / "p.tif"], tmp_path / "out", kinds=("mask", "binary"))
    expected = [f"p-{kind}-p{page:04d}.png" for kind in ("binary", "mask") for page in (1, 2, 3)]
    assert outputs(tmp_path / "out") == expected


def test_a_dry_run_writes_nothing(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "a.png")
    summary, words = find_light([tmp_path / "in"], tmp_path / "out", dry_run=True)
    assert summary.exit_code == 0
    assert words.lines == [str(tmp_path / "out" / "a.png")]
    assert not (tmp_path / "out").exists()


def test_results_of_a_compressed_volume_are_called_as_it_is() -> None:
    assert [str(stem_of(name)) for name in ("a/head.nii.gz", "b.NII", "c.tar.gz", "d.gz")] == [
        "a/head",
        "b",
        "c.tar.gz",
        "d.gz",
    ]
