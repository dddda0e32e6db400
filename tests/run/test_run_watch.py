"""`--watch`: whatever comes into a folder is taken, once, when it is whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from imgai.errors import UsageError
from imgai.predict.spec import StepSpec
from imgai.runs import OutputOptions, RunOptions, Summary
from imgai.runs.scan import Input
from imgai.runs.watch import SETTLED, watch
from imgai.testing import fake
from imgai.testing.kinds import named_kinds
from tests.run.conftest import Words

PROGRAM = """
import sys
from pathlib import Path
from imgai.console import Console
from imgai.options import Machine
from imgai.runs import OutputOptions, RunOptions, Summary
from imgai.predict.spec import StepSpec
from imgai.runs.scan import Input
from imgai.runs.watch import watch
from imgai.testing import fake
from imgai.testing.kinds import named_kinds
options = RunOptions(inputs=["in"], out=Path("out"), outputs=OutputOptions(named_kinds("image")),
    machine=Machine(device="cpu"))
sys.exit(watch([StepSpec(fake.BRIGHTEN, fake.DOUBLE)], options, Console()))
"""


@pytest.fixture
def watching(tmp_path: Path, python: str) -> Iterator[subprocess.Popen[bytes]]:
    (tmp_path / "in").mkdir()
    with subprocess.Popen([python, "-c", PROGRAM], cwd=tmp_path, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


def wait_for(path: Path, seconds: float = 300) -> Image.Image:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.1)
    return Image.open(path)


def test_what_comes_is_taken_when_it_is_whole(
    watching: subprocess.Popen[bytes], tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    make_picture(folder / "first.png")
    assert wait_for(out / "first.png").size == (80, 60)
    # One that grows for longer than a file must rest.
    content = make_picture(tmp_path / "large.png", size=(200, 200)).read_bytes()
    calm = True
    with (folder / "growing.png").open("wb", buffering=0) as file:
        for part in range(8):
            file.write(content[len(content) * part // 8 : len(content) * (part + 1) // 8])
            written = time.monotonic()
            time.sleep(0.4)
            early = (out / "growing.png").exists()
            calm = calm and time.monotonic() - written < 0.8 * SETTLED  # else this test stood still, and the file
            assert not (early and calm)
    assert wait_for(out / "growing.png").size == (400, 400)
    # One that is no picture is told once, and does not end the watch.
    (folder / "broken.png").write_bytes(b"no picture")
    make_picture(folder / "deep" / "later.png")
    wait_for(out / "deep" / "later.png")
    time.sleep(2.5)
    # The folder goes, another comes in its place.
    folder.rename(tmp_path / "away")
    time.sleep(1.5)
    shutil.copytree(tmp_path / "away", folder)
    make_picture(folder / "back.png", seed=3)
    wait_for(out / "back.png")
    watching.send_signal(signal.SIGTERM)
    _, words = watching.communicate()
    assert watching.returncode == 1, words  # one failed
    assert words.count(b"broken.png") <= 2, words  # copied, it is another file
    assert b"Traceback" not in words


def test_a_signal_while_nothing_happens_ends_it_cleanly(
    watching: subprocess.Popen[bytes], tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    make_picture(tmp_path / "in" / "a.png")
    wait_for(tmp_path / "out" / "a.png")
    time.sleep(1)
    watching.send_signal(signal.SIGTERM)
    _, words = watching.communicate()
    assert watching.returncode == 0, words
    assert words.count(b"1 done") == 1, words


def test_what_comes_while_a_run_is_at_work_is_taken(
    tmp_path: Path, make_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_picture(tmp_path / "in" / "a.png")
    make_picture(tmp_path / "late.png", seed=1)
    for path in (tmp_path / "in" / "a.png", tmp_path / "late.png"):
        os.utime(path, (1, 1))  # they have settled
    taken: list[list[str]] = []

    def run(
        specs: object, options: object, console: object, *, accept: Callable[[Input], bool], loaded: object
    ) -> Summary:
        names = [path.name for path in sorted((tmp_path / "in").iterdir()) if accept(Input(path, path.name))]
        taken.append(names)
        if len(taken) == 1:
            (tmp_path / "late.png").rename(tmp_path / "in" / "late.png")
        return Summary(done=len(names), interrupted="late.png" in names)

    monkeypatch.setattr("imgai.runs.watch.run", run)
    options = RunOptions(inputs=[str(tmp_path / "in")], out=None, outputs=OutputOptions(()))
    watch([StepSpec(fake.BRIGHTEN, fake.DOUBLE)], options, Words())
    # Without an output folder there are no records, and nothing is taken twice all the same.
    assert taken == [["a.png"], ["late.png"]]


def test_only_folders_are_watched(tmp_path: Path, make_picture: Callable[..., Path]) -> None:
    picture = make_picture(tmp_path / "a.png")
    options = RunOptions(inputs=[str(picture)], out=tmp_path / "out", outputs=OutputOptions(named_kinds("image")))
    with pytest.raises(UsageError, match="--watch is for folders"):
        watch([StepSpec(fake.BRIGHTEN, fake.DOUBLE)], options, Words())
