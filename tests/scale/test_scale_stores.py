"""Inputs and outputs in an object store: S3, as moto serves it on this machine."""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scaling import SECRETS, Words, do, make_run, png

from imgai.errors import UsageError
from imgai.stores import Store, address_of, open_store
from imgai.stores import objects as objects_module


@pytest.fixture
def full(bucket: str) -> str:
    """A bucket with ten pictures, and with what is none."""
    store = open_store(f"{bucket}/in")
    for seed in range(10):
        store.replace(f"d {seed % 2}/{seed}.png", png(seed))
    store.replace("bad.png", b"no picture")
    store.replace("without-suffix", png(99))
    store.replace("notes.txt", b"x")
    store.replace("old.jp2", b"x")
    store.replace(".hidden/1.png", png(5))
    return bucket


def files(address: str) -> set[str]:
    """What people see of a folder."""
    return {entry.key for entry in open_store(address).list() if not entry.key.startswith(".imgai/")}


def records(address: str) -> list[dict[str, Any]]:
    store = open_store(f"{address}/.imgai")
    return [json.loads(store.read(entry.key)) for folder in ("records", "failed") for entry in store.list(folder)]


MASKS = {f"d {seed % 2}/{seed}.png" for seed in range(10)} | {"without-suffix.png"}


def test_a_folder_is_mirrored_and_done_once(full: str, tmp_path: Path) -> None:
    words = Words()
    run = do(f"{full}/in", f"{full}/out", words=words)
    assert (run.summary.done, run.summary.failed) == (11, 1)
    assert files(f"{full}/out") == MASKS
    assert "1 .jp2 is not read" in words.text
    assert "bad.png: not a picture" in words.text
    again = do(f"{full}/in", f"{full}/out")
    assert (again.summary.done, again.summary.skipped, again.summary.failed) == (0, 11, 1)
    local = do(f"{full}/in", tmp_path / "out")
    assert local.summary.done == 11
    for name in MASKS:
        assert (tmp_path / "out" / name).read_bytes() == open_store(f"{full}/out").read(name)
    assert do(f"{full}/in", tmp_path / "out").summary.skipped == 11
    up = do(tmp_path / "out", f"{full}/up")
    assert up.summary.done == 11
    assert not list(open_store(f"{full}/up/.imgai").list("claims")), "claims go when all is done"


def test_what_has_changed_or_is_gone_is_done_again(full: str) -> None:
    do(f"{full}/in", f"{full}/out")
    open_store(f"{full}/in").replace("d 0/2.png", png(77))
    open_store(f"{full}/out").delete("d 1/3.png")
    run = do(f"{full}/in", f"{full}/out")
    assert (run.summary.done, run.summary.skipped) == (2, 9)
    assert do(f"{full}/in", f"{full}/out", slow=0.001).summary.done == 11, "other settings"
    assert do(f"{full}/in", f"{full}/out").summary.done == 11, "the last settings count"
    assert do(f"{full}/in", f"{full}/out", force=True).summary.done == 11


def test_patterns_and_single_files(full: str, tmp_path: Path) -> None:
    assert do(f"{full}/in/d 1/*.png", tmp_path / "a").summary.done == 5
    assert do(f"{full}/in/**/[0-4].png", tmp_path / "b").summary.done == 5
    assert do(f"{full}/in/d 1/1.png", tmp_path / "one.png").summary.done == 1
    (tmp_path / "list.txt").write_text(f"{full}/in/d 1/1.png\n{full}/in/d 0/2.png\n{full}/in/d 1/1.png\n")
    assert do(f"@{tmp_path}/list.txt", tmp_path / "c").summary.done == 2
    with pytest.raises(UsageError, match="nothing matches"):
        do(f"{full}/in/*.tif", tmp_path / "d")


@pytest.mark.parametrize("name", ["a b.png", "ä.png", "50%.png", "a#b.png", "it's.png", "x+y&z.png", "back\\slash.png"])
def test_odd_names_come_through(bucket: str, name: str) -> None:
    open_store(f"{bucket}/in").replace(name, png(1))
    open_store(f"{bucket}/in").replace("other.png", png(2))
    assert do(f"{bucket}/in", f"{bucket}/out").summary.done == 2
    assert files(f"{bucket}/out") == {name, "other.png"}
    assert do(f"{bucket}/in", f"{bucket}/out").summary.skipped == 2


def test_names_that_clash_keep_their_suffix(bucket: str) -> None:
    store = open_store(f"{bucket}/in")
    for name in ("a.png", "a.jpg", "b.png"):
        store.replace(name, png(1))
    assert do(f"{bucket}/in", f"{bucket}/out").summary.done == 3
    assert files(f"{bucket}/out") == {"a.png.png", "a.jpg.png", "b.png"}


def test_what_imgai_did_not_make_stays(full: str) -> None:
    open_store(f"{full}/mine").replace("d 0/0.png", b"mine")
    with pytest.raises(UsageError, match="no record"):
        do(f"{full}/in", f"{full}/mine")
    assert open_store(f"{full}/mine").read("d 0/0.png") == b"mine"
    assert do(f"{full}/in", f"{full}/mine", overwrite=True).summary.done == 11


def test_files_of_all_inputs_are_made_as_in_a_folder(full: str, tmp_path: Path) -> None:
    kinds = ("mask", "coco", "csv")
    local = do(f"{full}/in", tmp_path / "out", kinds=kinds)
    run = do(f"{full}/in", f"{full}/out", kinds=kinds)
    assert (run.summary.done, run.summary.failed) == (local.summary.done, local.summary.failed) == (11, 1)
    shared = {path.name for path in (tmp_path / "out").iterdir() if path.suffix in (".json", ".csv")}
    assert len(shared) >= 2
    assert files(f"{full}/out") == MASKS | shared

    def same() -> bool:
        there = open_store(f"{full}/out")
        return all(there.read(name) == (tmp_path / "out" / name).read_bytes() for name in shared)

    assert same()
    open_store(f"{full}/in").replace("more.png", png(50))
    for out in (tmp_path / "out", f"{full}/out"):
        again = do(f"{full}/in", out, kinds=kinds)
        assert (again.summary.done, again.summary.skipped) == (1, 11)
    assert same()


def test_a_file_of_all_inputs_that_imgai_did_not_make_stays(full: str) -> None:
    open_store(f"{full}/out").replace("coco.json", b"mine")
    with pytest.raises(UsageError, match="no record"):
        do(f"{full}/in", f"{full}/out", kinds=("mask", "coco"))
    assert open_store(f"{full}/out").read("coco.json") == b"mine"


def test_a_table_of_labels_has_what_every_run_has_done(full: str, tmp_path: Path) -> None:
    do(f"{full}/in", tmp_path / "labels.csv", labels=True)
    local = (tmp_path / "labels.csv").read_bytes()
    there = open_store(full)
    first = do(f"{full}/in", f"{full}/tables/labels.csv", labels=True, part="1/2")
    assert 0 < first.summary.done < 11
    words = Words()
    rest = do(f"{full}/in", f"{full}/tables/labels.csv", labels=True, words=words)
    assert (rest.summary.done + rest.summary.skipped, rest.summary.failed) == (11, 1)
    assert rest.summary.skipped == first.summary.done
    assert there.read("tables/labels.csv") == local, "that of the part has been replaced"
    assert f"replaced {full}/tables/labels.csv" in words.text
    assert files(f"{full}/tables") == {"labels.csv"}
    with pytest.raises(UsageError, match=f"{full}/tables/labels.csv is there"):
        do(f"{full}/in", f"{full}/tables/labels.csv", labels=True, no_clobber=True)
    with pytest.raises(UsageError, match="is a bucket"):
        do(f"{full}/in", "s3://labels.csv", labels=True)


def test_a_report_lies_where_it_is_asked_for_and_has_what_was_done_before(full: str, tmp_path: Path) -> None:
    page, sheet = f"{full}/pages/report.html", f"{full}/pages/sheet.jpg"
    first = do(f"{full}/in", f"{full}/out", part="1/2", report=Path(page))
    assert 0 < first.summary.done < 11
    words = Words()
    run = do(f"{full}/in", f"{full}/out", report=Path(page), contact=Path(sheet), words=words)
    assert (run.summary.done, run.summary.skipped) == (11 - first.summary.done, first.summary.done)
    assert f"the report is {page}" in words.text
    assert {each["path"] for each in run.outputs} == {page, sheet}
    shown = open_store(f"{full}/pages").read("report.html").decode()
    assert all(f'"{name}"' in shown for name in ("d 0/0.png", "d 1/9.png", "without-suffix", "bad.png"))
    assert open_store(f"{full}/pages").read("sheet.jpg")[:2] == b"\xff\xd8"
    again = do(f"{full}/in", f"{full}/out", report=tmp_path / "report.html")
    assert again.summary.skipped == 11
    assert '"d 1/9.png"' in (tmp_path / "report.html").read_text()
    open_store(f"{full}/pages").replace("mine.html", b"<html>")
    with pytest.raises(UsageError, match="no report of imgai's"):
        do(f"{full}/in", tmp_path / "out", report=Path(f"{full}/pages/mine.html"))
    assert open_store(f"{full}/pages").read("mine.html") == b"<html>"
    assert do(f"{full}/in", tmp_path / "out", report=Path(page)).summary.done == 11
    assert str(tmp_path / "out") in open_store(f"{full}/pages").read("report.html").decode()


def test_a_report_is_whole_though_the_store_keeps_none_of_its_views(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        open_store(f"{bucket}/in").replace(f"{seed}.png", png(seed))
    whole = objects_module.ObjectStore.replace

    def refusing(store: Any, key: str, content: Any) -> None:
        if key.startswith("parts/report/"):
            raise PermissionError(13, "it denies access")
        whole(store, key, content)

    monkeypatch.setattr(objects_module.ObjectStore, "replace", refusing)
    words = Words()
    run = do(f"{bucket}/in", f"{bucket}/out", report=tmp_path / "report.html", words=words)
    assert (run.summary.done, run.summary.exit_code) == (3, 0)
    assert words.text.count("not all views for the report could be kept") == 1
    assert all(f'"{seed}.png"' in (tmp_path / "report.html").read_text() for seed in range(3))


def test_watching_a_store_is_refused_with_what_to_do(full: str) -> None:
    with pytest.raises(UsageError, match="run the same command again and again"):
        do(full, f"{full}/out", watch=True)


def test_addresses_that_are_not_known_make_no_folder(
    full: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for inputs, out in ((f"{full}/in", "ftp://user:password@host/out"), ("s3a://bucket/in", "out")):
        with pytest.raises(UsageError, match="is not known") as told:
            do(inputs, out)
        assert "password" not in str(told.value)
    assert not list(tmp_path.iterdir())
    (tmp_path / "ftp:").mkdir()
    assert do(f"{full}/in/d 0", "ftp:/out").summary.done == 5, "a folder may be called so"


def test_outputs_among_the_inputs_are_no_inputs(full: str) -> None:
    assert do(f"{full}/in", f"{full}/in/masks").summary.done == 11
    assert do(f"{full}/in", f"{full}/in/masks").summary.skipped == 11


def test_a_dry_run_writes_nothing(full: str) -> None:
    words = Words()
    run = do(f"{full}/in", f"{full}/out", dry_run=True, words=words)
    assert run.summary.failed == 1
    assert f"{full}/out/d 0/0.png" in words.text
    assert not list(open_store(f"{full}/out").list())


def test_parts_share_a_store(full: str) -> None:
    counts = [do(f"{full}/in", f"{full}/out", part=f"{number}/3").summary for number in (1, 2, 3)]
    assert sum(each.done for each in counts) == 11
    assert files(f"{full}/out") == MASKS
    left = do(f"{full}/in", f"{full}/out2", part="1/3").summary.done
    assert do(f"{full}/in", f"{full}/out2", part="2/3", steal=True).summary.done == 11 - left


def test_two_runs_at_once_do_each_input_once(full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put: Counter[str] = Counter()
    whole = objects_module.ObjectStore.replace

    def counted(store: Any, key: str, content: Any) -> None:
        put[key] += 1
        whole(store, key, content)

    monkeypatch.setattr(objects_module.ObjectStore, "replace", counted)
    runs = [make_run(f"{full}/in", f"{full}/out", slow=0.02) for _ in range(2)]
    threads = [threading.Thread(target=list, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: put[name] for name in MASKS} == dict.fromkeys(MASKS, 1)
    assert [run.summary.done + run.summary.skipped for run in runs] == [11, 11]


def test_a_killed_run_is_gone_on_with(full: str, begin: Callable[..., Any]) -> None:
    whole = do(f"{full}/in", f"{full}/whole")
    assert whole.summary.done == 11
    for count in (2, 6):
        child = begin(f"{full}/in", f"{full}/out", slow=0.05)
        for _ in range(count):
            child.stdout.readline()
        child.kill()
        child.wait()
    run = do(f"{full}/in", f"{full}/out", slow=0.05)
    assert run.summary.done + run.summary.skipped == 11
    assert files(f"{full}/out") == MASKS
    for name in MASKS:
        assert open_store(f"{full}/out").read(name) == open_store(f"{full}/whole").read(name)


def test_a_store_in_a_bad_mood_is_asked_again(
    full: str, proxy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_module, "FIRST", 0.02)
    before = proxy({"503": 0.05, "429": 0.05, "403": 0.03, "reset": 0.05, "lost": 0.05})
    run = do(f"{full}/in", f"{full}/out")
    assert (run.summary.done, run.summary.failed, run.summary.unrecorded) == (11, 1, 0)
    assert min(before.did[mood] for mood in ("503", "429", "reset", "lost")) > 0
    assert files(f"{full}/out") == MASKS
    before.moods.clear()
    assert do(f"{full}/in", f"{full}/out").summary.skipped == 11


def test_a_store_that_refuses_for_good_is_an_error_of_that_picture(
    full: str, proxy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_module, "FIRST", 0.01)
    monkeypatch.setattr(objects_module, "TRIES", 2)
    before = proxy({})
    words = Words()
    run = make_run(f"{full}/in", f"{full}/out", words=words, slow=0.05)
    for count, _ in enumerate(run):
        if count == 2:
            before.moods["403"] = 1.0
    assert run.summary.failed > 0
    assert "it denies access" in words.text
    assert tempfile.gettempdir() not in words.text, "people know the store, not where copies are"
    assert run.summary.exit_code == 1
    before.moods.clear()
    assert do(f"{full}/in", f"{full}/out", slow=0.05).summary.failed == 1
    assert files(f"{full}/out") == MASKS
    before.moods["403"] = 1.0
    with pytest.raises(UsageError, match="cannot be listed: it denies access"):
        do(f"{full}/in", f"{full}/out")


def test_why_a_store_does_not_answer_is_told_whatever_names_hold(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects_module, "TRIES", 1)
    monkeypatch.setattr(objects_module, "_OF_LIBRARY", {"max_retries": 0})
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    open_store.cache_clear()
    with pytest.raises(OSError, match="it cannot be reached"):
        open_store(bucket).look("status 404, timed out.png")


def test_no_credentials_are_kept_or_said(full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = Words()
    do(f"{full}/in", f"{full}/out", words=words)
    kept = json.dumps(records(f"{full}/out")) + words.text
    store = open_store(f"{full}/out/.imgai")
    kept += "".join(store.read(entry.key).decode("latin-1") for entry in store.list())
    assert not any(secret in kept for secret in SECRETS)
    for named in (
        "s3://key:word@bucket/in",
        "https://host/a.png?sig=secret",
        "s3://bucket/a.png?X-Amz-Signature=secret",
    ):
        with pytest.raises(UsageError, match="would be recorded") as caught:
            address_of(named)
        assert "word" not in str(caught.value).replace("password", "")
        assert "secret" not in str(caught.value).replace("are often secret", "")


def test_putting_what_is_there_fails_in_every_store(bucket: str, tmp_path: Path) -> None:
    stores: list[Store] = [open_store(bucket), open_store(f"file://{tmp_path}")]
    for store in stores:
        assert store.put_new("a/b", b"1")
        assert not store.put_new("a/b", b"2")
        assert store.read("a/b") == b"1"
        store.replace("a/b", b"12345")
        assert (store.read("a/b", 1, 2), store.look("a/b").size) == (b"23", 5)
        assert [entry.key for entry in store.list("a")] == ["a/b"]
        store.delete("a/b")
        store.delete("a/b")
        with pytest.raises(FileNotFoundError):
            store.read("a/b")
        with pytest.raises(FileNotFoundError):
            store.look("a/b")


def test_large_files_go_in_parts_and_are_there_when_whole(bucket: str, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 50_000)
    open_store(bucket).replace("large", path)
    assert open_store(bucket).look("large").size == path.stat().st_size
    open_store(bucket).fetch("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
