"""Nobody's file is lost: not one that imgai did not make, not one that another run made, not one half written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imgai import hidden
from imgai.errors import InputError, UsageError
from imgai.options import Machine, OutputOptions, RunOptions
from imgai.plugin import Output
from imgai.predict.spec import StepSpec
from imgai.runs import run
from imgai.runs.commit import commit
from imgai.runs.guard import Inputs
from imgai.runs.names import Plan
from imgai.runs.scan import Input
from imgai.runs.targets import targets
from imgai.testing import fake
from imgai.testing.kinds import named_kinds


@pytest.fixture
def pair(tmp_path: Path, make_picture: Any) -> Path:
    for seed in range(2):
        make_picture(tmp_path / "in" / f"{seed}.png", seed=seed)
    return tmp_path / "in"


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / ".imgai" / "records.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_imgai_did_not_make_is_refused_before_anything_is_done(
    pair: Path, tmp_path: Path, find_light: Any, force: bool
) -> None:
    album = tmp_path / "out"
    album.mkdir()
    (album / "1.png").write_bytes(b"somebody's")
    with pytest.raises(UsageError, match=r"1\.png \(imgai has no record of it\).*--overwrite"):
        find_light([pair], album, force=force)
    assert [path.name for path in album.iterdir()] == ["1.png"]
    assert find_light([pair], album, overwrite=True)[0].done == 2
    assert (album / "1.png").read_bytes() != b"somebody's"


def test_what_another_task_or_kind_made_is_refused(pair: Path, tmp_path: Path, find_light: Any, brighten: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    before = (out / "0.png").read_bytes()
    for other in (lambda: find_light([pair], out, kinds=("cutout",)), lambda: brighten([pair], out)):
        with pytest.raises(UsageError, match=r"2 files would be overwritten: .*made by find-light --as mask"):
            other()
    assert (out / "0.png").read_bytes() == before
    assert find_light([pair], out, params={"gain": 2.0})[0].done == 2, "the same task and kind may be replaced"


def test_what_was_made_of_another_input_is_refused(
    pair: Path, tmp_path: Path, find_light: Any, make_picture: Any
) -> None:
    other, out = tmp_path / "other", tmp_path / "out"
    make_picture(other / "1.png", seed=7)
    find_light([pair], out)
    before = (out / "1.png").read_bytes()
    with pytest.raises(UsageError, match=r"out/1\.png \(it was made of \S+in/1\.png\).*--overwrite"):
        find_light([other], out)
    assert (out / "1.png").read_bytes() == before
    same = tmp_path / "same"
    same.symlink_to(pair)
    assert find_light([same / "1.png"], out, params={"gain": 2.0})[0].done == 1, "the same file by another way"
    assert find_light([other], out, overwrite=True)[0].done == 1
    shutil.rmtree(other)
    assert find_light([pair], out)[0].done == 1, "what it was made of is there no more"


def test_two_tasks_share_a_folder_where_their_names_differ(
    tmp_path: Path, find_light: Any, brighten: Any, make_picture: Any
) -> None:
    picture, out = make_picture(tmp_path / "in" / "a.bmp"), tmp_path / "out"
    assert find_light([picture.parent], out)[0].done == 1
    assert brighten([picture.parent], out)[0].done == 1
    assert find_light([picture.parent], out)[0].skipped == 1
    assert brighten([picture.parent], out)[0].skipped == 1


def test_a_file_that_somebody_edited_is_somebody_s(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    content = (out / "0.png").read_bytes()
    (out / "0.png").write_bytes(content[:-1] + b"!")
    with pytest.raises(UsageError, match=r"0\.png \(it has changed since imgai made it\)"):
        find_light([pair], out, force=True)
    assert find_light([pair], out, force=True, overwrite=True)[0].done == 2
    assert (out / "0.png").read_bytes() == content


def test_an_edited_file_with_its_old_time_and_size_is_somebody_s(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    before, content = (out / "0.png").stat(), (out / "0.png").read_bytes()
    (out / "0.png").write_bytes(content[:-1] + b"!")
    os.utime(out / "0.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UsageError, match=r"0\.png \(it has changed since imgai made it\)"):
        find_light([pair], out, params={"gain": 2.0})


def test_no_output_takes_the_place_of_the_log(pair: Path, tmp_path: Path, find_light: Any) -> None:
    log = tmp_path / "out" / "0.png"
    log.parent.mkdir()
    log.write_text("2026-11-26 10:00:00 on cpu\n")
    with pytest.raises(UsageError, match=r"0\.png is what --log names"):
        find_light([pair], log.parent, overwrite=True, log=log)


def test_a_copied_folder_goes_on(pair: Path, tmp_path: Path, find_light: Any) -> None:
    find_light([pair], tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "copy", copy_function=shutil.copy)
    for path in (tmp_path / "copy").glob("*.png"):
        os.utime(path, (1, 1))
    assert find_light([pair], tmp_path / "copy")[0].skipped == 2
    assert find_light([pair], tmp_path / "copy", params={"gain": 2.0})[0].done == 2


def test_a_run_that_was_killed_before_its_record_goes_on(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    records = out / ".imgai" / "records.jsonl"
    begun = [line for line in records.read_text().splitlines(keepends=True) if '"begun"' in line]
    assert len(begun) == 2
    records.write_text(begun[0])
    with pytest.raises(UsageError, match="a file would be overwritten"):
        find_light([pair], out)
    records.write_text("".join(begun))
    assert find_light([pair], out)[0].done == 2


def test_records_of_schema_1_are_read(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    find_light([pair], out)
    records = [record for record in lines(out) if record["status"] == "done"]
    for record in records:
        record["schema"] = 1
        del record["run"]
        for output in record["outputs"]:
            del output["sha256"], output["time"], output["ctime"]
    (out / ".imgai" / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert find_light([pair], out)[0].skipped == 2
    assert find_light([pair], out, params={"gain": 2.0})[0].done == 2


@pytest.mark.parametrize(("suffix", "several"), [(".gif", True), (".tif", True), (".jpg", False), (".png", False)])
def test_the_pages_of_formats_that_have_some_are_looked_for_in_advance(
    tmp_path: Path, find_light: Any, suffix: str, several: bool
) -> None:
    (tmp_path / "in").mkdir()
    frames = [Image.new("RGB", (20, 16), (90 * number, 40, 40)) for number in range(1 + several)]
    frames[0].save(
        tmp_path / "in" / f"a{suffix}", **({"save_all": True, "append_images": frames[1:]} if several else {})
    )
    out = tmp_path / "out"
    out.mkdir()
    (out / "a-p0001.png").write_bytes(b"somebody's")
    if several:
        with pytest.raises(UsageError, match="no record of it"):
            find_light([tmp_path / "in"], out)
    else:
        assert find_light([tmp_path / "in"], out)[0].done == 1
    assert (out / "a-p0001.png").read_bytes() == b"somebody's"


@pytest.fixture
def box_light() -> Any:
    """Run ``box-light``, whose model has two labels."""

    def call(inputs: list[Path], out: Path, kind: str, words: Any, **options: Any) -> Any:
        words.lines.clear()
        spec = StepSpec(fake.BOX_LIGHT, fake.EXTENT)
        outputs = OutputOptions(named_kinds(kind, of=Output.BOXES))
        names = tuple(map(str, inputs))
        asked = RunOptions(inputs=names, out=out, outputs=outputs, machine=Machine(device="cpu"), **options)
        return run([spec], asked, words)

    return call


def test_a_dry_run_prints_the_names_that_are_written(pair: Path, tmp_path: Path, box_light: Any, words: Any) -> None:
    for kind in ("json", "yolo", "overlay", "csv", "crops"):
        out = tmp_path / kind
        assert box_light([pair], out, kind, words, dry_run=True).exit_code == 0
        told = set(words.lines)
        assert box_light([pair], out, kind, words).done == 2
        written = {str(path) for path in out.iterdir() if path.name != ".imgai"}
        assert told == (set() if kind == "crops" else written), "how many crops there are nobody knows before"
        assert written


def test_a_list_of_classes_of_somebody_s_is_refused_first(
    pair: Path, tmp_path: Path, box_light: Any, words: Any
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "classes.txt").write_text("mine\n")
    with pytest.raises(UsageError, match=r"classes\.txt \(imgai has no record of it\)"):
        box_light([pair], out, "yolo", words)
    assert box_light([pair / "0.png"], out / "0.txt", "yolo", words).failed == 1, "it was not named"
    assert (out / "classes.txt").read_text() == "mine\n"
    for _ in range(2):
        assert box_light([pair / "0.png"], out / "0.txt", "yolo", words, overwrite=True).done == 1
    assert box_light([pair / "0.png"], out / "0.txt", "yolo", words).done == 1, "it holds the same"


def test_options_that_say_the_format_of_a_kind_say_its_name(tmp_path: Path, make_picture: Any) -> None:
    """Whatever the suffix of the input is: `--dry-run` prints these names, and what lies there is refused."""
    path = make_picture(tmp_path / "a.png")
    for kind, options, name in (
        ("ink", {}, "a.tif"),
        ("ink", {"ink": "pdf"}, "a.pdf"),
        ("ink", {"ink": "png"}, "a.png"),
        ("labels", {"labels": "tiff"}, "a.tif"),
        ("labels", {}, "a.png"),
        ("cutout", {"format": "webp"}, "a.webp"),
        ("image", {}, "a.png"),
        ("image", {"format": "jpg"}, "a.jpg"),
    ):
        (spec,) = named_kinds(kind, **options)
        each = Plan(Input(path, "a.png"), tmp_path / "out" / "a", (spec,))
        made = [target.name for target, _ in targets(each, [StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS)], sure=True)]
        assert made == [name], (kind, options)


def test_what_cannot_be_foreseen_fails_alone(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    """That a.png holds two frames shows only when it is read."""
    frames = [Image.new("RGB", (20, 16), (60 * i, 90, 120)) for i in range(1, 3)]
    (tmp_path / "in").mkdir()
    frames[0].save(tmp_path / "in" / "a.png", save_all=True, append_images=frames[1:])
    make_picture(tmp_path / "in" / "b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a-p0002.png").write_bytes(b"somebody's")
    summary, words = find_light([tmp_path / "in"], tmp_path / "out")
    assert (summary.done, summary.failed) == (1, 1)
    assert "a-p0002.png would be overwritten, and imgai has no record of it; --overwrite replaces it" in words.text
    assert (tmp_path / "out" / "a-p0002.png").read_bytes() == b"somebody's"


def test_one_file_that_is_named_is_replaced_and_said(pair: Path, tmp_path: Path, find_light: Any) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"somebody's")
    with pytest.raises(UsageError, match="--no-clobber"):
        find_light([pair / "0.png"], mask, no_clobber=True)
    assert mask.read_bytes() == b"somebody's"
    _, words = find_light([pair / "0.png"], mask)
    assert f"replaced {mask}" in words.said
    _, words = find_light([pair / "0.png"], tmp_path / "new.png", no_clobber=True)
    assert "replaced" not in words.text


def test_pages_of_a_file_that_is_named_replace_nothing(tmp_path: Path, find_light: Any) -> None:
    pages = [Image.effect_noise((20, 16), 60 + 10 * number) for number in range(2)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    named, second = tmp_path / "m.png", tmp_path / "m-p0002.png"
    for path in (named, second):
        path.write_bytes(b"somebody's")
    summary, words = find_light([tmp_path / "two.tif"], named)
    assert (summary.failed, named.read_bytes(), second.read_bytes()) == (1, b"somebody's", b"somebody's")
    assert f"{second} would be overwritten, and imgai has no record of it" in words.text
    for options in ({"overwrite": True}, {}):  # the second time it is the same content
        summary, words = find_light([tmp_path / "two.tif"], named, **options)
        assert summary.done == 1
        assert f"warning: {named} cannot be called so; it is {tmp_path / 'm-p0001.png'} to m-p0002.png" in words.said
        assert words.said[-1].endswith(f"see {tmp_path / 'm-p0001.png'}")
        assert "replaced" not in words.text
    assert named.read_bytes() == b"somebody's"


def test_a_table_that_is_named_is_replaced_and_said(pair: Path, tmp_path: Path, weigh: Any) -> None:
    table = tmp_path / "t.csv"
    table.write_text("somebody's")
    with pytest.raises(UsageError, match="--no-clobber"):
        weigh([pair], table, no_clobber=True)
    assert table.read_text() == "somebody's"
    _, words = weigh([pair], table)
    assert f"replaced {table}" in words.said
    table.write_text("somebody's again")
    summary, words = weigh([pair], table)
    assert (summary.done, summary.skipped) == (0, 2)
    assert f"replaced {table}" in words.said, "it is written though no picture is done again"


def test_a_coco_file_that_imgai_did_not_make_is_refused(pair: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "coco.json").write_text("by hand")
    with pytest.raises(UsageError, match=r"coco\.json"):
        find_light([pair], out, kinds=("coco",))
    assert find_light([pair], out, kinds=("coco",), overwrite=True)[0].done == 2
    assert find_light([pair], out, kinds=("coco",), params={"gain": 2.0})[0].done == 2
    (out / "coco.json").write_text("by hand")
    with pytest.raises(UsageError, match="has changed since"):
        find_light([pair], out, kinds=("coco",), force=True)


def test_inputs_are_known_by_device_and_inode(tmp_path: Path, make_picture: Any) -> None:
    """As where one folder is mounted at two places; a hard link is the nearest that needs no rights."""
    picture = make_picture(tmp_path / "a" / "x.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.png").hardlink_to(picture)
    assert tmp_path / "b" / "x.png" in Inputs([picture])
    assert tmp_path / "b" / "y.png" not in Inputs([picture])


def test_an_input_that_is_reached_by_two_ways_is_not_overwritten(
    tmp_path: Path, find_light: Any, make_picture: Any
) -> None:
    import subprocess

    picture = make_picture(tmp_path / "a" / "x.png")
    (tmp_path / "b").mkdir()
    mount = subprocess.run(["mount", "--bind", tmp_path / "a", tmp_path / "b"], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("mounting is not allowed here")
    before = picture.read_bytes()
    try:
        for overwrite in (False, True):
            with pytest.raises(UsageError, match="is an input, and would be overwritten"):
                find_light([tmp_path / "a"], tmp_path / "b", overwrite=overwrite)
    finally:
        subprocess.run(["umount", tmp_path / "b"], check=True)
    assert picture.read_bytes() == before


@pytest.mark.parametrize("kind", ["cutout", "image"])
def test_another_suffix_beside_an_input_is_no_input(
    kind: str, tmp_path: Path, find_light: Any, brighten: Any, make_picture: Any
) -> None:
    def go(**options: Any) -> Any:
        if kind == "image":
            return brighten([tmp_path / "in"], tmp_path / "in", format="png", **options)
        return find_light([tmp_path / "in"], tmp_path / "in", kinds=(kind,), **options)

    before = make_picture(tmp_path / "in" / "a.jpg").read_bytes()
    assert go()[0].done == 1
    assert go()[0].skipped == 1
    assert sorted(path.name for path in (tmp_path / "in").glob("*.*g")) == ["a.jpg", "a.png"]
    assert (tmp_path / "in" / "a.jpg").read_bytes() == before
    make_picture(tmp_path / "in" / "b.png")
    for options in ({}, {"overwrite": True}):
        with pytest.raises(UsageError, match=r"b\.png is an input, and would be overwritten"):
            go(**options)


def test_a_picture_that_is_called_otherwise_is_written_as_what_it_is(tmp_path: Path, brighten: Any) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (8, 6), "gray").save(folder / "a.jpg", "PNG")
    before = (folder / "a.jpg").read_bytes()
    assert brighten([folder], folder, dry_run=True)[1].lines == [str(folder / "a.png")]
    assert brighten([folder], folder)[0].done == 1
    assert (folder / "a.png").is_file()
    assert (folder / "a.jpg").read_bytes() == before


# Half written


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_a_short_write_is_an_error(tmp_path: Path, format_: str) -> None:
    """The system takes the first block of a file that may not grow further, and says so by a count alone."""
    resource = pytest.importorskip("resource")
    image = Image.effect_noise((200, 200), 90).convert("RGB")
    whole = commit(tmp_path / "whole", lambda file: image.save(file, format=format_))
    assert whole.size == (tmp_path / "whole").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole.size - 100, before[1]))
    try:
        with pytest.raises(InputError, match="larger than the system allows"):
            commit(tmp_path / "short", lambda file: image.save(file, format=format_))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_what_was_written_is_checked_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(file: Any) -> None:
        file.write(b"all of it")
        file.flush()
        (half,) = tmp_path.glob(".*")
        os.truncate(half, 4)  # as a file system that says yes and keeps half

    with pytest.raises(InputError, match="4 bytes of 9 are in the file"):
        commit(tmp_path / "a", write)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_must_be_free_is_never_taken_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", refuse)
    commit(tmp_path / "a", lambda file: file.write(b"first"), exclusive=True)
    with pytest.raises(FileExistsError):
        commit(tmp_path / "a", lambda file: file.write(b"second"), exclusive=True)
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


# Hidden files


def test_only_what_is_surely_abandoned_is_swept(tmp_path: Path) -> None:
    host, boot, process, begun = hidden.owner().split("-")
    gone = [f".{host}-{boot}-999999999-7.a{hidden.SUFFIX}", f".{host}-00000000-{process}-{begun}.b{hidden.SUFFIX}"]
    gone += [f".{host}-{boot}-{process}-{begun}.of-this-process-but-unknown{hidden.SUFFIX}"]
    gone += [f".{host}-{boot}-{os.getppid()}-1.its-number-was-used-again{hidden.SUFFIX}"]
    parent = hidden._begun(os.getppid())
    stays = [f".{host}-{boot}-{os.getppid()}-{parent}.of-another-process{hidden.SUFFIX}"]
    stays += [f".00000000-{boot}-999999999-7.of-another-host{hidden.SUFFIX}", f".0123.4194000{hidden.SUFFIX}"]
    for name in (*gone, *stays):
        (tmp_path / name).touch()
    old = tmp_path / f".00000000-{boot}-999999999-8.old{hidden.SUFFIX}"
    old.touch()
    os.utime(old, (time.time() - hidden.OLD - 10,) * 2)
    file, mine = hidden.create(tmp_path)
    file.close()
    hidden.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*stays, mine.name}
    hidden.forget(mine)


def test_a_run_sweeps_wherever_it_writes(pair: Path, tmp_path: Path, weigh: Any) -> None:
    host, boot, *_ = hidden.owner().split("-")
    name = f".{host}-{boot}-999999999-7.a{hidden.SUFFIX}"
    for folder in ("sorted/x", "t/deep", ".", "in"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).touch()
    for _ in range(2):
        weigh([pair], tmp_path / "t.csv", sort_into=tmp_path / "sorted", write_xmp=True)
        assert not list(tmp_path.rglob(name))
        (tmp_path / name).touch()  # the next run has nothing to do


# The state of a folder


def planted(path: Path, how: str, aim: Path) -> None:
    if how == "fifo":
        os.mkfifo(path)
    elif how == "link":
        path.symlink_to(aim)
    elif how == "folder":
        path.mkdir()
    elif how == "hard link":
        aim.touch()
        path.hardlink_to(aim)
    else:
        path.write_bytes(b"[" * 200_000 + b"\n{}\n\xff\xfe\n" + b'{"schema": 2, "path": 3}\n')


@pytest.mark.parametrize("how", ["fifo", "link", "folder", "damaged", "hard link"])
def test_records_that_are_none_are_set_aside(pair: Path, tmp_path: Path, find_light: Any, how: str) -> None:
    out, aim = tmp_path / "out", tmp_path / "aim"
    (out / ".imgai").mkdir(parents=True)
    planted(out / ".imgai" / "records.jsonl", how, aim)
    summary, words = find_light([pair], out)
    assert summary.exit_code == 0, words.text
    assert not aim.exists() or aim.read_bytes() == b""
    assert find_light([pair], out)[0].skipped == 2


@pytest.mark.parametrize("how", ["fifo", "link", "damaged"])
def test_a_folder_of_records_that_is_none_is_set_aside(pair: Path, tmp_path: Path, find_light: Any, how: str) -> None:
    out, aim = tmp_path / "out", tmp_path / "aim"
    out.mkdir()
    aim.mkdir()
    planted(out / ".imgai", how, aim)
    summary, words = find_light([pair], out)
    assert summary.exit_code == 0, words.text
    assert "is called .imgai." in words.text
    assert not list(aim.iterdir())


@pytest.mark.parametrize("damage", ["gone", "torn", "flipped", "fifo", "folder"])
def test_a_coco_file_outlives_what_happens_to_its_parts(
    pair: Path, tmp_path: Path, find_light: Any, damage: str
) -> None:
    out = tmp_path / "out"
    find_light([pair], out, kinds=("coco",))
    before = (out / "coco.json").read_bytes()
    parts = sorted((out / ".imgai" / "coco").iterdir())
    harm: dict[str, Callable[[], Any]] = {
        "gone": lambda: shutil.rmtree(out / ".imgai" / "coco"),
        "torn": lambda: os.truncate(parts[0], 100),
        "flipped": lambda: parts[0].write_bytes(parts[0].read_bytes().replace(b"width", b"wodth")),
        "fifo": lambda: (parts[0].unlink(), os.mkfifo(parts[0])),
        "folder": lambda: (parts[0].unlink(), parts[0].mkdir()),
    }
    harm[damage]()
    summary, words = find_light([pair], out, kinds=("coco",))
    if damage == "folder":
        assert summary.failed == 1, "it is told, and nothing is claimed that is not"
        return
    assert summary.done == (2 if damage == "gone" else 1), words.text
    assert (out / "coco.json").read_bytes() == before


def test_names_in_a_coco_file_lead_to_the_files(tmp_path: Path, find_light: Any, make_picture: Any) -> None:
    names = ["a/one.png", "a/deep/one.png", "b/with\u2003wide space.png", "b/tab\there.png"]
    for seed, name in enumerate(names):
        make_picture(tmp_path / "in" / name, seed=seed)
    find_light([tmp_path / "in" / "a", tmp_path / "in" / "b"], tmp_path / "out", kinds=("coco",))
    images = json.loads((tmp_path / "out" / "coco.json").read_text())["images"]
    assert sorted(image["file_name"] for image in images) == sorted(names)
