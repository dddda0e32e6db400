"""Nothing that lies in the way of a run makes it wait without end, take all memory, or end with a traceback."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imgai import bounded
from imgai.errors import InputError, UsageError
from imgai.runs.pipe import Stdin, Stopped
from imgai.runs.scan import scan

Shell = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def shell(tmp_path: Path, python: str) -> Shell:
    """bash in a folder; ``$imgai`` is the command with the fake plugin's tasks, ``$fresh`` in a Python of its own."""
    info = tmp_path / "site" / "fake-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[imgai.plugins.v1]\nfake = imgai.testing.fake\n")

    def call(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(info.parent),
                "imgai": f"{python} -m imgai",
                "fresh": f"{sys.executable} -m imgai",
                "OMP_NUM_THREADS": "1",
                "COLUMNS": "300",
                **environment,
            },
            capture_output=True,
        )

    return call


def test_a_link_to_what_never_ends_is_no_picture(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "a.png")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "in" / "b.png").symlink_to(tmp_path / "pipe")
    (tmp_path / "in" / "c.png").symlink_to("/dev/zero")
    summary, _ = find_light([tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failed) == (1, 0)
    for name in (tmp_path / "in" / "b.png", tmp_path / "in" / "c.png", "/dev/ptmx"):
        with pytest.raises(UsageError, match=r"is a pipe|is a device"):
            find_light([name], tmp_path / "out")


def test_a_list_is_bounded(tmp_path: Path, make_picture: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = make_picture(tmp_path / "a.png")
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbf" + os.fsencode(picture) + b"\r\n")
    assert [item.path for item in scan([f"@{tmp_path / 'list'}"])] == [picture]
    with pytest.raises(UsageError, match="it is no file"):
        scan(["@/dev/zero"])
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(bounded, "LONGEST", 0.3)
    keep = os.open(tmp_path / "pipe", os.O_RDWR)  # somebody who never writes
    try:
        with pytest.raises(UsageError, match="nothing came"):
            scan([f"@{tmp_path / 'pipe'}"])
    finally:
        os.close(keep)
    with pytest.raises(OSError, match="more than"):
        bounded.read_bytes(picture, 10)


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "a/" * 3000, "nul\0.png", "loop.png"])
def test_a_name_that_no_file_system_takes_is_one_line(tmp_path: Path, find_light: Any, name: str) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    with pytest.raises((UsageError, InputError)) as caught:
        find_light([tmp_path / name], tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_more_threads_than_there_can_be(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "a.png")
    assert find_light([tmp_path / "a.png"], tmp_path / "out", threads=100_000)[0].done == 1


def test_a_limit_of_threads_is_told_or_lived_with(
    tmp_path: Path, find_light: Any, make_picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_picture(tmp_path / "a.png")
    real, left = threading.Thread.start, [3]

    def start(thread: threading.Thread) -> None:
        if left[0] == 0:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    for allowed in range(4):
        left[0] = allowed
        with pytest.raises(InputError, match="no thread can be started"):
            find_light([tmp_path / "a.png"], tmp_path / "out")
    monkeypatch.setattr(threading.Thread, "start", real)
    assert find_light([tmp_path / "a.png"], tmp_path / "out")[0].done == 1


def test_whoever_waits_for_standard_input_hears_that_the_run_stops() -> None:
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb") as source, os.fdopen(writes, "wb"):
        stdin = Stdin(source)
        threading.Timer(0.5, stdin.stop).start()
        with pytest.raises(Stopped):
            stdin.read(1000)


def test_control_c_ends_a_run_whose_stream_has_stalled(shell: Shell, tmp_path: Path, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "a.png")
    script = """
        tar cf a.tar in; mkfifo stream; exec 3<>stream; head -c 4000 a.tar >&3
        $imgai find-light - --out out <&3 & job=$!
        until [ -e out/in/a.png ] || ! kill -0 $job; do sleep 0.1; done
        kill -TERM $job; wait $job; echo $?
    """
    answer = shell(script)
    assert answer.stdout == b"130\n", answer
    assert b"Traceback" not in answer.stderr


def test_control_c_ends_a_run_whose_stream_brought_nothing_yet(shell: Shell, tmp_path: Path, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "a.png")
    script = """
        tar cf a.tar in; mkfifo stream; exec 3<>stream; head -c 900 a.tar >&3
        $imgai find-light - --out out <&3 2> words & job=$!
        until grep -q "on cpu" words || ! kill -0 $job; do sleep 0.1; done; sleep 0.5
        kill -TERM $job; wait $job; echo $?; cat words
    """
    answer = shell(script)
    assert answer.stdout.startswith(b"130\n"), answer
    assert b"error" not in answer.stdout


def test_sigterm_is_130_from_the_first_moment(shell: Shell, tmp_path: Path, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "a.png")
    # As soon as the signal is caught, bit 14 of SigCgt, and some time after that.
    caught = "(( 0x$(sed -n 's/^SigCgt:\\s*//p' /proc/$job/status) >> 14 & 1 ))"
    for delay in ("0", "0.5"):
        answer = shell(
            f"$fresh find-light in --out out --slow 20 & job=$!; until {caught}; do sleep 0.01; done; sleep {delay}; "
            "kill -TERM $job; sleep 0.2; kill -TERM $job 2>/dev/null; wait $job; echo $?"
        )
        assert answer.stdout == b"130\n", answer
        assert b"Traceback" not in answer.stderr


def test_control_c_drops_what_no_network_has_seen(shell: Shell, tmp_path: Path, make_picture: Any) -> None:
    for number in range(20):
        make_picture(tmp_path / "in" / f"{number}.png", seed=number)
    script = """
        $imgai find-light in --out out --slow 1.5 --batch 1 2> words & job=$!
        until [ -e out/0.png ] || ! kill -0 $job; do sleep 0.1; done
        kill -TERM $job; wait $job; echo $?
    """
    answer = shell(script)
    words = (tmp_path / "words").read_text()
    assert answer.stdout == b"130\n", (answer, words)
    (left,) = re.findall(r"stopping, (\d+) left", words)
    assert int(left) <= 3, words
    assert "error" not in words
    assert len(list((tmp_path / "out").glob("*.png"))) < 20
    records = [json.loads(line) for line in (tmp_path / "out" / ".imgai" / "records.jsonl").read_text().splitlines()]
    assert sum(record["status"] == "done" for record in records) == len(list((tmp_path / "out").glob("*.png")))
    again = shell("$imgai find-light in --out out -q; find . -name '*.imgai-tmp'")
    assert (again.returncode, again.stdout) == (0, b""), again
    assert len(list((tmp_path / "out").glob("*.png"))) == 20


def test_a_reader_that_waits_holds_the_run_up(tmp_path: Path, make_picture: Any, find_light: Any) -> None:
    """What is finished and not taken is bounded: the iteration is what takes it."""
    from imgai.options import Machine
    from imgai.predict.spec import StepSpec
    from imgai.runs import OutputOptions, Run, RunOptions
    from imgai.testing import fake
    from tests.run.conftest import Words, named_kinds

    for number in range(60):
        make_picture(tmp_path / "in" / f"{number:02d}.png", size=(8, 8), seed=number)
    options = RunOptions(
        inputs=(str(tmp_path / "in"),),
        out=tmp_path / "out",
        outputs=OutputOptions(kinds=named_kinds("mask")),
        machine=Machine(device="cpu", batch=1),
    )
    run = Run([StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, fake.LightParams())], options, Words())
    records = iter(run)
    assert next(records)["status"] == "done"
    time.sleep(1)
    made = len(list((tmp_path / "out").glob("*.png")))
    assert made < 50
    assert sum(record["status"] == "done" for record in records) == 59
    assert (run.summary.done, run.summary.exit_code) == (60, 0)


def test_an_iteration_that_is_left_finishes_what_is_in_hand(tmp_path: Path, make_picture: Any) -> None:
    from imgai.options import Machine
    from imgai.predict.spec import StepSpec
    from imgai.runs import OutputOptions, Run, RunOptions
    from imgai.testing import fake
    from tests.run.conftest import Words, named_kinds

    for number in range(40):
        make_picture(tmp_path / "in" / f"{number:02d}.png", seed=number)
    options = RunOptions(
        inputs=(str(tmp_path / "in"),),
        out=tmp_path / "out",
        outputs=OutputOptions(kinds=named_kinds("mask")),
        machine=Machine(device="cpu", batch=1),
    )
    run = Run([StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, fake.LightParams())], options, Words())
    for record in run:
        assert record["status"] == "done"
        break
    del record
    made = list((tmp_path / "out").glob("*.png"))
    assert len(made) == run.summary.done < 40
    assert not list((tmp_path / "out").glob(".*.imgai-tmp"))
    again = Run([StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, fake.LightParams())], options, Words())
    states = [record["status"] for record in again]
    assert (states.count("skipped"), states.count("done")) == (len(made), 40 - len(made))


def tar_of(members: dict[str, tarfile.TarInfo]) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, member in members.items():
            member.name = name
            member.size = 3000
            tar.addfile(member, io.BytesIO(bytes(3000)))
    stream.seek(0)
    return stream


@pytest.mark.parametrize("name", [".", "./", "", "a/../../b.png"])
def test_a_member_without_a_name_is_told(tmp_path: Path, name: str) -> None:
    stream = tar_of({name: tarfile.TarInfo(), "good.png": tarfile.TarInfo()})
    first, second = Stdin(stream).members(tmp_path)
    assert isinstance(first.error, InputError)
    assert (second.name, second.error) == ("good.png", None)


def test_a_member_with_a_hole_is_not_unfolded(tmp_path: Path) -> None:
    sparse = tmp_path / "huge.png"
    with sparse.open("wb") as file:
        file.truncate(3 << 30)
    with sparse.open("r+b") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
    tar = subprocess.run(["tar", "-S", "-c", "-C", tmp_path, "huge.png"], capture_output=True, check=True).stdout
    assert len(tar) < 1 << 20
    (tmp_path / "to").mkdir()
    (item,) = Stdin(io.BytesIO(tar)).members(tmp_path / "to")
    assert "a sparse file" in str(item.error)
    assert not list((tmp_path / "to").iterdir())


def test_what_is_no_picture_on_standard_input_is_not_read_to_its_end(shell: Shell) -> None:
    answer = shell("cat /dev/zero | timeout 500 $imgai find-light - --out out")
    assert answer.returncode == 1, answer
    assert b"not a picture" in answer.stderr


def test_streams_that_are_closed_or_full_are_one_line(shell: Shell, tmp_path: Path, make_picture: Any) -> None:
    for number in range(3):
        make_picture(tmp_path / "in" / f"{number}.png", seed=number)
    for number, (words, code) in enumerate(
        {
            "in --out o{} --json > /dev/full": 1,
            "in --out o{} --json >&-": 1,
            "in/1.png -o - > /dev/full": 1,
            "in/1.png -o - >&-": 2,
            "- --out o{} <&-": 2,
            "in --out o{} 2>&-": 0,
            "in --out o{} 2> /dev/full": 0,
        }.items()
    ):
        answer = shell(f"$imgai find-light {words.format(number)}")
        assert (answer.returncode, b"Traceback" in answer.stderr) == (code, False), (words, answer)
        assert answer.stderr.count(b"error:") == (code > 0), (words, answer)


def test_a_folder_that_is_gone_is_one_line(shell: Shell, tmp_path: Path) -> None:
    answer = shell('mkdir gone; cd gone; rmdir "$PWD"; $imgai find-light a.png --out x')
    assert answer.returncode == 2
    assert answer.stderr == b"error: the folder you are in is gone; go to another\n"


def test_a_temporary_folder_that_is_full_is_one_line(shell: Shell, tmp_path: Path, make_picture: Any) -> None:
    for number in range(3):
        make_picture(tmp_path / "in" / f"{number}.png", size=(300, 300), seed=number)
    script = "mkdir tiny; mount -t tmpfs -o size=64k tmpfs tiny || exit 77; tar cf - in | "
    answer = shell(script + "TMPDIR=$PWD/tiny $imgai find-light - --out out; code=$?; umount tiny; exit $code")
    if answer.returncode == 77:
        pytest.skip("mounting is not allowed here")
    assert answer.returncode == 1, answer
    assert b"the disk is full" in answer.stderr
    assert b"Traceback" not in answer.stderr


def test_records_that_cannot_be_written_are_a_failure(
    tmp_path: Path, find_light: Any, make_picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgai.runs.records import Records

    make_picture(tmp_path / "in" / "a.png")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Records, "append", refuse)
        summary, words = find_light([tmp_path / "in"], tmp_path / "out")
        assert (summary.done, summary.exit_code) == (1, 1)
        assert "records.jsonl cannot be written: Permission denied" in words.text
    monkeypatch.setattr(Records, "prepare", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        find_light([tmp_path / "in"], tmp_path / "other")
    assert not list((tmp_path / "other").glob("*.png"))


def test_pictures_that_are_not_read_are_told_and_counted(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "a.png")
    for name in ("b.jp2", "deep/c.JP2", "d.psd", "notes.txt", ".e.jp2"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"of another kind")
    summary, words = find_light([tmp_path / "in"], tmp_path / "out")
    assert summary.exit_code == 0
    assert "warning: 2 .jp2, 1 .psd are not read" in words.said
    last = json.loads((tmp_path / "out" / ".imgai" / "records.jsonl").read_text().splitlines()[-1])
    assert (last["status"], last["unread"]) == ("ended", {".jp2": 2, ".psd": 1})


def test_a_result_too_large_for_its_format_is_refused_by_the_header(
    tmp_path: Path, brighten: Any, make_picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgai.testing import fake

    Image.new("RGB", (8200, 20)).save(tmp_path / "wide.webp")
    make_picture(tmp_path / "a.webp")
    loads = fake.load_double
    seen: list[Any] = []
    monkeypatch.setattr(fake, "load_double", lambda context: (seen.append(context), loads(context))[1])
    for dry_run in (True, False):
        summary, words = brighten([tmp_path], tmp_path / "out", dry_run=dry_run)
        assert (summary.failed, summary.exit_code) == (1, 1)
        assert "wide.webp: WEBP holds at most 16383 pixels along a side, not 16400x40" in words.text
    assert (tmp_path / "out" / "a.webp").exists()


def test_a_named_file_that_is_called_otherwise_is_told(tmp_path: Path, find_light: Any) -> None:
    import numpy as np

    dots = np.zeros((600, 600), np.uint8)
    dots[::2, ::2] = 255
    Image.fromarray(dots).save(tmp_path / "dots.png")
    _, words = find_light([tmp_path / "dots.png"], tmp_path / "out.png", kinds=("labels",))
    assert f"warning: {tmp_path / 'out.png'} cannot be called so; it is {tmp_path / 'out.tif'}" in words.said
    assert words.said[-1].endswith(f"see {tmp_path / 'out.tif'}")


@pytest.mark.parametrize("frame", [1, 2])
def test_a_frame_that_is_far_larger_than_its_picture_is_refused(tmp_path: Path, find_light: Any, frame: int) -> None:
    """Pillow would make room for 65535 x 65535 pixels while it looks for the next frame."""
    frames = [Image.effect_noise((20, 16), 60 + 10 * number) for number in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    content = bytearray(file.getvalue())
    place = -1
    for _ in range(frame + 1):
        place = content.index(b"\x2c\0\0\0\0\x14\0\x10\0", place + 1)
    content[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    (tmp_path / "a.gif").write_bytes(content)
    summary, words = find_light([tmp_path / "a.gif"], tmp_path / "out")
    assert summary.failed == 1
    assert "a frame of 65535 x 65535 pixels in a picture of 20 x 16" in words.text


def test_cells_of_a_table_are_no_formulas(tmp_path: Path) -> None:
    from imgai.kinds.table import Row, write_table

    names = ["=1+1.png", "+a.png", "@b.png", "-2.png", "-/member.png", "caf\udce9.png", "plain.png"]
    table = io.BytesIO()
    write_table([Row(name, 1, 1, (("=x", 0.5),)) for name in names], table, ".csv", top=1, ids={})
    rows = table.getvalue().decode("utf-8").splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [
        *(f"'{name}" for name in names[:4]),
        "-/member.png",
        "caf\\xe9.png",
        "plain.png",
    ]
    assert all(",'=x," in row for row in rows)


def test_the_version_of_code_without_weights_is_a_part_of_the_digest(tmp_path: Path, make_picture: Any) -> None:
    from imgai.options import OutputOptions
    from imgai.predict.spec import StepSpec
    from imgai.runs.digest import digest
    from imgai.runs.scan import Input
    from imgai.testing import fake

    item = Input(make_picture(tmp_path / "a.png"), "a.png")

    def mark(version: str) -> str:
        return digest(item, [StepSpec(fake.BRIGHTEN, fake.DOUBLE, version=version)], OutputOptions(), "")

    assert mark("1.0") == mark("1.0") != mark("1.1")
