"""Pictures and folders through real pipes of a real shell."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgai.predict.spec import Keep
from imgai.runs.names import StreamPlans, plan
from imgai.runs.options import OutputOptions
from imgai.runs.pipe import Stdin, Stdout
from imgai.runs.scan import Input
from imgai.testing.kinds import named_kinds

PROGRAM = """
import itertools, os, pathlib, time
from imgai.plugin import Predictor
from imgai.cli.main import main
import imgai.cli.main as cli
from imgai.discovery import Plugin
from imgai.registry import Registry
from imgai.testing import fake
if waits := os.environ.get("IMGAI_TEST_WAITS"):
    def load(context, real=fake.load_lightness, count=itertools.count()):
        predictor = real(context)
        def network(image):
            if next(count) == 4:
                while not list(pathlib.Path(waits).glob("*.png")):
                    time.sleep(0.02)
            return predictor.network(image)
        return Predictor(network=network)
    fake.load_lightness = load
cli.load_registry = lambda: Registry(
    [Plugin("fake", "fake", "1", fake.imgai_register_tasks(), fake.imgai_register_models())]
)
main()
"""
Shell = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def shell(tmp_path: Path, python: str) -> Shell:
    """bash in a folder, with an ``imgai`` that knows the fake plugin; a pipe fails when any of its commands does."""
    program = tmp_path / "bin" / "imgai"
    program.parent.mkdir()
    program.write_text(f"#!{python}{PROGRAM}")
    program.chmod(0o755)

    def call(script: str) -> subprocess.CompletedProcess[bytes]:
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail\n{script}"],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
        )

    return call


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_picture_goes_through_as_through_files(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    make_picture(tmp_path / "a.png")
    answer = shell(
        "imgai brighten a.png -o - | imgai find-light - -o piped.png"
        " && imgai brighten a.png -o big.png && imgai find-light big.png -o mask.png"
        " && imgai brighten a.png -o - --format ppm | head -c 2"
    )
    assert answer.returncode in (0, 141), answer.stderr  # head leaves when it has its two bytes
    assert np.array_equal(pixels(tmp_path / "piped.png"), pixels(tmp_path / "mask.png"))
    assert answer.stdout == b"P6"


def test_a_folder_goes_through_with_its_names_and_what_its_files_say(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    names = ["a.png", "deep/er/with space.png", "deep/\N{SNOWMAN}.png", os.fsdecode(b"no\xff-utf8.png")]
    for seed, name in enumerate(names):
        make_picture(tmp_path / "in" / name, seed=seed)
    exif = Image.Exif()
    exif[0x010E] = "said of it"
    Image.new("RGB", (9, 7), (10, 200, 30)).save(tmp_path / "in" / "told.jpg", exif=exif, dpi=(300, 300))
    (tmp_path / "in" / "note.txt").write_text("no picture")
    answer = shell(
        "imgai brighten in -o - | imgai brighten - -o piped"
        " && imgai brighten in -o once && imgai brighten once -o twice"
    )
    assert answer.returncode == 0, answer.stderr
    for name in [*names, "told.jpg"]:
        assert (tmp_path / "piped" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes(), name
    told = Image.open(tmp_path / "piped" / "told.jpg")
    assert told.getexif()[0x010E] == "said of it"
    assert told.info["dpi"] == (1200, 1200)  # enlarged twice by two, and as large on paper
    assert len([path for path in (tmp_path / "piped").rglob("*") if path.suffix in (".png", ".jpg")]) == 5


def test_both_commands_are_at_work_at_once(shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    for seed in range(8):
        make_picture(tmp_path / "in" / f"{seed}.png", seed=seed)
    # After a few pictures the first command stands still until the other has written one.
    answer = shell("IMGAI_TEST_WAITS=out imgai find-light in -o - --batch 1 --threads 1 | imgai brighten - -o out")
    assert answer.returncode == 0, answer.stderr
    assert len(list((tmp_path / "out").glob("*.png"))) == 8


def test_a_link_in_a_stream_is_told_of(shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    """Of two names of one file, tar sends the second as a link."""
    picture = make_picture(tmp_path / "in" / "a.png")
    os.link(picture, tmp_path / "in" / "b.png")
    (tmp_path / "in" / "note").symlink_to("a.png")
    answer = shell("tar c in/a.png in/b.png in/note | imgai brighten - -o out")
    assert answer.returncode == 1
    assert b"b.png: a link" in answer.stderr
    assert b"note" not in answer.stderr
    assert [path.name for path in (tmp_path / "out" / "in").glob("*.png")] == ["a.png"]
    whole = shell("tar c --dereference --hard-dereference in/a.png in/b.png in/note | imgai brighten - -o whole")
    assert whole.returncode == 0, whole.stderr


def test_a_reader_that_leaves_ends_the_command_quietly(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    for seed in range(6):
        make_picture(tmp_path / "in" / f"{seed}.png", size=(300, 300), seed=seed)
    answer = shell("imgai brighten in -o - -q | head -c 2000 > /dev/null; echo ${PIPESTATUS[0]}")
    assert answer.stdout.split() == [b"141"]
    assert answer.stderr == b""


def test_a_reader_of_records_that_leaves_ends_the_command_quietly(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    for number in range(12):
        make_picture(tmp_path / "in" / f"{number}.png", size=(200, 150))
    found = shell("imgai brighten in -o out --json -q | head -n 1")
    assert (found.returncode, found.stderr) == (141, b"")
    assert found.stdout.count(b"\n") == 1


def test_a_run_whose_words_nobody_hears_goes_on(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    for number in range(4):
        make_picture(tmp_path / "in" / f"{number}.png", size=(200, 150))
    found = shell("{ imgai brighten in -o out --verbose; echo $? > code; } 2>&1 | head -c 1")
    assert (tmp_path / "code").read_text() == "0\n", found
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


def test_a_writer_that_is_killed_leaves_whole_files_and_a_word(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    make_picture(tmp_path / "in" / "a.png", size=(200, 200))
    make_picture(tmp_path / "in" / "b.png", size=(200, 200), seed=1)
    size = (tmp_path / "in" / "a.png").stat().st_size
    answer = shell(f"tar cf - in | head -c {512 * 3 + size + 512 + 2000} | imgai brighten - -o out")
    assert answer.returncode == 1
    assert b"standard input breaks off" in answer.stderr
    assert b"Traceback" not in answer.stderr
    (made,) = (tmp_path / "out" / "in").glob("*")
    assert pixels(made).shape == (400, 400, 3)


def test_a_reader_that_is_slow_is_waited_for(shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    """More than a pipe holds, and nobody reads for a while."""
    for seed in range(3):
        make_picture(tmp_path / "in" / f"{seed}.png", size=(300, 300), seed=seed)
    answer = shell("imgai brighten in -o - --format ppm | (sleep 2; cat) | tar tf -")
    assert answer.returncode == 0, answer.stderr
    assert sorted(answer.stdout.split()) == [b"0.ppm", b"1.ppm", b"2.ppm"]


def test_a_name_that_would_leave_the_folder_is_refused(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    content = make_picture(tmp_path / "a.png").read_bytes()
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        for name in ("../outside.png", "/absolute.png", "a/../../up.png", "good.png"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    answer = shell("imgai brighten - -o deep/out < bad.tar")
    assert answer.returncode == 1
    told = [line for line in answer.stderr.splitlines() if line.startswith(b"error: ")]
    assert sum(b"the name would leave the output folder" in line for line in told) == 3
    files = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")]
    assert sorted(files) == ["a.png", "deep/out/good.png"]


def test_a_failed_input_is_told_and_the_rest_goes_through(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    make_picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    answer = shell("imgai brighten in -o - | tar tf -")
    assert answer.returncode == 1
    assert answer.stdout.split() == [b"a.png"]
    assert b"b.png" in answer.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("brighten a.png -o - --json", "--json and --out - both want standard output"),
        ("find-light a.png -o - --as mask,overlay", "--out - takes one file of one picture"),
        ("find-light in -o - --as coco", "cannot go through a pipe"),
        ("weigh a.png -o -", "labels are not written as that"),
    ],
)
def test_what_cannot_go_through_a_pipe_is_told(
    shell: Shell, tmp_path: Path, make_picture: Callable[..., Path], command: str, words: str
) -> None:
    make_picture(tmp_path / "a.png")
    answer = shell(f"imgai {command} | cat")
    assert answer.returncode == 2
    assert answer.stdout == b""
    assert words.encode() in answer.stderr


def test_a_terminal_gets_no_picture(shell: Shell, tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    make_picture(tmp_path / "a.png")
    shell("true")  # makes the program
    reads, writes = pty.openpty()
    try:
        answer = subprocess.run(
            [tmp_path / "bin" / "imgai", "brighten", "a.png", "-o", "-"],
            cwd=tmp_path,
            stdout=writes,
            stderr=subprocess.PIPE,
        )
    finally:
        os.close(writes)
        os.close(reads)
    assert answer.returncode == 2
    assert b"standard output is a terminal" in answer.stderr


def test_a_stream_is_known_by_its_first_block() -> None:
    picture = io.BytesIO(b"\x89PNG" + bytes(600))
    stdin = Stdin(picture)
    assert not stdin.is_tar()
    assert stdin.read() == b"\x89PNG" + bytes(600)
    assert not Stdin(io.BytesIO(b"")).is_tar()


def test_members_of_one_name_do_not_share_an_output(tmp_path: Path) -> None:
    plans = StreamPlans(tmp_path, ("mask",))
    bases = [plans.plan(Input(None, name, stream=True)).base.name for name in ("a.jpg", "a.png", "a.png", "A.png")]
    assert bases == ["a", "a.png", "a.png-2", "A.png-3"]
    plans = StreamPlans(tmp_path, ("mask",))
    bases = [plans.plan(Input(None, name, stream=True)).base.name for name in ("b.png", "b.png", "B.png", "b.jpg")]
    assert bases == ["b", "b-2", "B-3", "b.jpg"]


def test_hidden_members_are_passed_over_as_in_a_folder(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name in ("./a.png", "._a.png", ".hidden/b.png", "notes.txt"):
            member = tarfile.TarInfo(name)
            member.size = 3000
            tar.addfile(member, io.BytesIO(bytes(3000)))
    made.seek(0)
    (found,) = Stdin(made).members(tmp_path)
    assert (found.name, found.path and found.path.stat().st_size) == ("a.png", 3000)


def test_what_is_called_like_a_page_or_what_is_kept_keeps_its_suffix(tmp_path: Path) -> None:
    names = ["a.png", "a-segment.png", "a-segment-mask.png", "a-segment-p0001.png", "a-p0001.png", "a-b.png"]
    wanted = ["a", *names[1:5], "a-b"]
    keeps = [Keep("segment", named_kinds("mask", "labels"))]
    stream = StreamPlans(tmp_path, ("mask",), keeps)
    assert [stream.plan(Input(None, name, stream=True)).base.name for name in names] == wanted
    other = StreamPlans(tmp_path, ("mask",))
    bases = [other.plan(Input(None, name, stream=True)).base.name for name in ("a-p0001.png", "a.tif")]
    assert bases == ["a-p0001", "a.tif"]
    inputs = [Input(tmp_path / "in" / name, name) for name in names]
    plans = plan(inputs, tmp_path / "out", OutputOptions(named_kinds("mask")), keeps=keeps)
    assert [each.base.name for each in plans] == wanted


def test_a_stream_is_written_and_read_as_it_comes(tmp_path: Path) -> None:
    """A member is there before the next has been sent: neither side may hold a block back."""
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as source, os.fdopen(writes, "wb") as sink:
        made = tmp_path / "made.png"
        Image.new("RGB", (8, 8)).save(made)
        content = made.read_bytes()
        Stdout(tar=True, file=sink).put(made, "first.png")
        first = next(Stdin(source).members(tmp_path))
    assert first.shown == "-/first.png"
    assert first.path is not None
    assert first.path.read_bytes() == content
