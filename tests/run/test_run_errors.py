"""A bad file is told and passed over; nothing half written stays, whatever ends the run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from imgai import hidden

FAKE = "[imgai.plugins.v1]\nfake = imgai.testing.fake\n"


@pytest.fixture
def start(tmp_path: Path, python: str) -> Any:
    """Start ``imgai find-light`` as a process of its own; fresh: by an interpreter of its own, too."""
    info = tmp_path / "site" / "fake-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(FAKE)

    def begin(*arguments: str | Path, fresh: bool = False, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable if fresh else python, "-m", "imgai", "find-light", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(info.parent)}
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    return begin


def png_header(path: Path, width: int, height: int) -> None:
    """A PNG of a few bytes that announces a huge picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)))


@pytest.fixture
def bad(tmp_path: Path, make_picture: Any) -> Path:
    """Two good pictures among bad ones."""
    folder = tmp_path / "in"
    make_picture(folder / "a-good.png")
    make_picture(folder / "z-good.jpg", size=(400, 300))
    whole = (folder / "z-good.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    make_picture(folder / "cut.png", size=(300, 300))
    whole = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("I am a text.")
    (folder / "empty.gif").touch()
    png_header(folder / "bomb.png", 30_000, 30_000)
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    return folder


WHY = {
    "truncated.jpg": "damaged",
    "cut.png": "damaged",
    "text.png": "not a picture",
    "empty.gif": "empty",
    "bomb.png": "--max-pixels",
    "dangling.png": "no such file",
}


def test_bad_files_are_told_and_passed_over(bad: Path, tmp_path: Path, find_light: Any) -> None:
    summary, words = find_light([bad], tmp_path / "out", json=True)
    assert (summary.done, summary.failed, summary.exit_code) == (2, len(WHY), 1)
    records = {Path(record["input"]).name: record for record in map(json.loads, words.lines)}
    for name, why in WHY.items():
        assert why in records[name]["error"], name
        assert records[name]["status"] == "failed"
        line, again = [line for line in words.said if name in line]
        assert "\n" not in line
        assert again == line.replace("error: ", "  "), "told again at the end"
    assert "records.jsonl" in words.said[-1], "programs are told no next step"
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {".imgai", "a-good.png", "z-good.png"}


def test_fail_fast_stops(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.png").touch()
    for number in range(1, 60):
        make_picture(tmp_path / "in" / f"{number:02d}.png")
    summary, _ = find_light([tmp_path / "in"], tmp_path / "out", fail_fast=True, params={"slow": 0.05})
    assert summary.failed == 1
    assert summary.done < 59


def test_a_folder_without_rights_is_told(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    make_picture(tmp_path / "in" / "a.png")
    closed = tmp_path / "in" / "closed"
    make_picture(closed / "b.png")
    closed.chmod(0)
    try:
        if os.access(closed, os.R_OK):
            pytest.skip("this user may read everything")
        summary, words = find_light([tmp_path / "in"], tmp_path / "out")
    finally:
        closed.chmod(0o700)
    assert (summary.done, summary.failed) == (1, 1)
    assert "closed" in words.text


def test_a_folder_that_cannot_be_read_is_told(
    tmp_path: Path, find_light: Any, make_picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, for users whom no right is refused."""
    make_picture(tmp_path / "in" / "a.png")
    make_picture(tmp_path / "in" / "closed" / "b.png")
    real = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    summary, words = find_light([tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failed) == (1, 1)
    assert "closed: the folder cannot be read" in words.text


def test_a_killed_run_leaves_nothing_half_and_goes_on(tmp_path: Path, start: Any, make_picture: Any) -> None:
    for number in range(40):
        # One tile each, so that each takes one tenth of a second.
        make_picture(tmp_path / "in" / f"{number:02d}.png", size=(60, 60), seed=number)
    arguments = (tmp_path / "in", "--out", tmp_path / "out", "--slow", "0.1", "--batch", "1")
    process = start(*arguments, fresh=True)
    while len(list((tmp_path / "out").glob("*.png"))) < 3:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    assert 3 <= len(done) < 40
    # What a kill in the middle of writing leaves, from a process that is no more.
    owner = hidden.owner().split("-")
    half = tmp_path / "out" / f".{owner[0]}-{owner[1]}-{process.pid}-1.half.imgai-tmp"
    half.write_bytes(b"half")
    again = start(tmp_path / "in", "--out", tmp_path / "out", "--json", "--slow", "0.1", "--batch", "1")
    lines, _ = again.communicate()
    assert again.returncode == 0
    states = [json.loads(line)["status"] for line in lines.splitlines()]
    # A picture may be in its place and its record not yet: then it is done again, and comes out the same.
    assert len(done) - states.count("skipped") <= 3
    assert states.count("skipped") > 0
    for path, content in done.items():
        assert path.read_bytes() == content
    assert not list((tmp_path / "out").rglob("*.imgai-tmp"))
    whole = start(tmp_path / "in", "--out", tmp_path / "whole", "--quiet")
    assert whole.wait() == 0
    for path in sorted((tmp_path / "whole").glob("*.png")):
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_control_c_finishes_what_is_in_hand_and_says_how_to_go_on(
    tmp_path: Path, start: Any, make_picture: Any
) -> None:
    for number in range(60):
        make_picture(tmp_path / "in" / f"{number:02d}.png", seed=number)
    process = start(
        tmp_path / "in", "--out", tmp_path / "out", "--slow", "0.2", "--batch", "1", "--json", "--threads", "1"
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, words = process.communicate()
    assert process.returncode == 130
    assert "run the same command again" in words
    assert "Traceback" not in words
    assert not list((tmp_path / "out").rglob("*.imgai-tmp"))
    written = len(list((tmp_path / "out").glob("*.png")))
    lines = (tmp_path / "out" / ".imgai" / "records.jsonl").read_text().splitlines()
    assert written == [json.loads(line)["status"] for line in lines].count("done") < 60


def test_a_full_disk_ends_the_run_and_leaves_nothing_half(tmp_path: Path, start: Any, make_picture: Any) -> None:
    for number in range(8):
        make_picture(tmp_path / "in" / f"{number}.png", size=(400, 400), seed=number)
    small = tmp_path / "small"
    small.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", small], capture_output=True, check=False
        ).returncode
        == 0
    )
    if not mounted:
        shutil.rmtree(small)
        pytest.skip("mounting a small file system is not allowed here")
    try:
        process = start(tmp_path / "in", "--out", small / "out")
        _, words = process.communicate()
        assert process.returncode == 1
        assert "the disk is full" in words
        assert "Traceback" not in words
        left = list((small / "out").rglob("*"))
        assert not [path for path in left if path.name.endswith(".imgai-tmp")]
        from PIL import Image

        for path in left:
            if path.suffix == ".png":
                with Image.open(path) as image:
                    image.load()
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_file_that_may_not_grow_is_reported_like_a_full_disk(tmp_path: Path, start: Any, make_picture: Any) -> None:
    resource = pytest.importorskip("resource")
    make_picture(tmp_path / "in" / "a.png", size=(400, 400))

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    process = start(tmp_path / "in", "--out", tmp_path / "out", preexec_fn=limit, fresh=True)
    _, words = process.communicate()
    assert process.returncode == 1
    assert "cannot be written" in words
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".png", ".imgai-tmp")]


def test_a_model_that_breaks_its_promise_ends_the_run(
    tmp_path: Path, find_light: Any, make_picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgai.errors import PluginError
    from imgai.plugin import Predictor
    from imgai.testing import fake

    make_picture(tmp_path / "in" / "a.png")
    monkeypatch.setattr(fake, "load_lightness", lambda context: Predictor(network=lambda image: image))
    with pytest.raises(PluginError, match="declare labels"):
        find_light([tmp_path / "in"], tmp_path / "out")


def test_a_network_that_fails_fails_its_picture_alone(
    tmp_path: Path, find_light: Any, make_picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgai.plugin import Predictor
    from imgai.testing import fake

    for number in range(4):
        make_picture(tmp_path / "in" / f"{number}.png", seed=number)

    def moody(image: Any) -> Any:
        if (image.flatten(1).amax(dim=1) == 0).any():
            raise ValueError("no black, please")
        return image.mean(dim=1, keepdim=True)

    from PIL import Image

    Image.new("RGB", (40, 30)).save(tmp_path / "in" / "black.png")
    monkeypatch.setattr(fake, "load_lightness", lambda context: Predictor(network=moody))
    summary, words = find_light([tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failed) == (4, 1)
    assert "black.png: the model lightness failed: ValueError: no black, please" in words.text


def test_what_is_told_of_a_picture_is_in_its_record_too(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    whole = make_picture(tmp_path / "in" / "whole.jpg")
    (tmp_path / "in" / "cut.jpg").write_bytes(whole.read_bytes().removesuffix(b"\xff\xd9"))
    _, words = find_light([tmp_path / "in"], tmp_path / "out", json=True)
    records = {Path(record["input"]).name: record for record in map(json.loads, words.lines[:2])}
    assert records["cut.jpg"]["warnings"] == ["it lacks its end marker"]
    assert "warnings" not in records["whole.jpg"]
