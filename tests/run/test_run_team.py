"""Several runs over one output folder: parts, claims, and what they add up to."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from imgai import hidden
from imgai.cli.main import build_app
from imgai.errors import UsageError
from imgai.options import Machine, OutputOptions, RunOptions
from imgai.params import as_values
from imgai.predict.spec import StepSpec
from imgai.registry import load_registry
from imgai.runs import Run, workers
from imgai.runs.claims import Claims
from imgai.runs.part import Part, part_of
from imgai.runs.record import SCHEMA, Key
from imgai.runs.records import Records
from imgai.runs.workers import LOST, Worker
from imgai.stores import LocalStore
from imgai.testing import fake
from imgai.testing.kinds import named_kinds


@pytest.fixture
def twelve(tmp_path: Path, make_picture: Any) -> Path:
    for seed in range(12):
        make_picture(tmp_path / "in" / "deep" / f"{seed}.png", seed=seed)
    return tmp_path / "in"


def done(out: Path) -> Counter[str]:
    """How often each input was done, by the records."""
    lines = (out / ".imgai" / "records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return Counter(Path(each["path"]).name for each in records if each["status"] == "done")


def names(out: Path) -> set[str]:
    return {path.name for path in (out / "deep").glob("*")}


def make_run(inputs: Path, out: Path, console: Any, *, slow: float = 0.0, **options: Any) -> Run:
    spec = StepSpec(fake.FIND_LIGHT, fake.LIGHTNESS, as_values(fake.LightParams, {"slow": slow}))
    machine, outputs = Machine(device="cpu"), OutputOptions(named_kinds("mask"))
    return Run([spec], RunOptions(inputs=(str(inputs),), out=out, outputs=outputs, machine=machine, **options), console)


def test_parts_are_all_inputs_each_once(twelve: Path, tmp_path: Path, find_light: Any) -> None:
    out = tmp_path / "out"
    counts = []
    for number in (1, 2, 3):
        summary, words = find_light([twelve], out, part=f"{number}/3")
        counts.append(summary.done)
        assert f"part {number}/3: {summary.done} of 12 inputs" in words.text
    assert sum(counts) == 12
    assert min(counts) > 0, "a hash that puts all into one part shares nothing out"
    assert names(out) == {f"{seed}.png" for seed in range(12)}
    assert set(done(out).values()) == {1}
    assert [find_light([twelve], out, part=f"{number}/3")[0].skipped for number in (1, 2, 3)] == counts


def test_a_part_is_the_same_from_another_folder(twelve: Path, tmp_path: Path) -> None:
    assert [Part(2, 5).place(f"deep/{seed}.png") for seed in range(3)] == [
        Part(2, 5).place(f"deep/{seed}.png") for seed in range(3)
    ]
    for name in ("a.png", "deep/b.png", "ä\udcff.tif"):
        assert sorted(Part(number, 4).place(name) for number in (1, 2, 3, 4)) == [0, 1, 2, 3]


def test_steal_does_what_the_other_parts_left(twelve: Path, tmp_path: Path, find_light: Any) -> None:
    own, _ = find_light([twelve], tmp_path / "out", part="1/3")
    summary, _ = find_light([twelve], tmp_path / "out", part="2/3", steal=True)
    assert (summary.done, summary.skipped) == (12 - own.done, own.done)
    assert set(done(tmp_path / "out").values()) == {1}


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "1/2/3", ""])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no part"):
        part_of(text)


def test_parts_where_they_make_no_sense_are_refused(twelve: Path, tmp_path: Path, find_light: Any) -> None:
    with pytest.raises(UsageError, match="names one file"):
        find_light([twelve / "deep" / "1.png"], tmp_path / "one.png", part="1/2")
    with pytest.raises(UsageError, match="--steal"):
        find_light([twelve], tmp_path / "out", steal=True)


@pytest.mark.parametrize("force", [False, True])
def test_two_runs_at_once_do_each_input_once(twelve: Path, tmp_path: Path, words: Any, force: bool) -> None:
    out = tmp_path / "out"
    runs = [make_run(twelve, out, words, slow=0.02, force=force) for _ in range(2)]
    threads = [threading.Thread(target=list, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.summary.done + run.summary.skipped for run in runs] == [12, 12]
    assert done(out) == Counter({f"{seed}.png": 1 for seed in range(12)})
    assert not list((out / ".imgai" / "claims").iterdir())


def test_other_settings_at_once_leave_records_that_are_true(twelve: Path, tmp_path: Path, words: Any) -> None:
    out = tmp_path / "out"
    runs = [make_run(twelve, out, words, slow=slow) for slow in (0.01, 0.02)]  # params, hence other digests
    threads = [threading.Thread(target=list, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = {
        each["path"]: each for each in map(json.loads, (out / ".imgai" / "records.jsonl").open()) if "digest" in each
    }
    assert len(last) == 12
    for record in last.values():
        (output,) = record["outputs"]
        assert (out / output["path"]).stat().st_mtime_ns == output["time"], "the last record is of the last file"


def test_an_input_that_another_run_is_at_is_waited_for(twelve: Path, tmp_path: Path, words: Any) -> None:
    out = tmp_path / "out"
    (out / ".imgai").mkdir(parents=True)
    other = Worker(LocalStore(out / ".imgai"), {})
    other.begin()
    claims = Claims(LocalStore(out / ".imgai"), other)
    assert claims.take("deep/3")
    run = make_run(twelve, out, words)
    thread = threading.Thread(target=list, args=(run,))
    thread.start()
    while run.summary.done < 11:
        thread.join(0.01)
    thread.join(0.3)
    assert thread.is_alive()
    assert "3.png" not in names(out)
    claims.release("deep/3")
    thread.join()
    assert run.summary.done == 12


def test_the_claims_of_a_killed_run_are_overruled_and_removed(twelve: Path, tmp_path: Path, find_light: Any) -> None:
    folder = tmp_path / "out" / ".imgai"
    (folder / "claims").mkdir(parents=True)
    # This host and boot, a process of our number that began at another time: it is no more.
    gone = f"{hidden.owner().rpartition('-')[0]}-1.0badcafe"
    store = LocalStore(folder)
    killed = Worker(store, {})
    killed.name = gone
    claims = Claims(store, killed)
    assert claims.take("deep/3")
    assert claims.take("deep/no longer there")
    assert find_light([twelve], tmp_path / "out")[0].done == 12
    assert not list((folder / "claims").iterdir())


class Two:
    """Two workers over one store, the first of which can be made to look gone."""

    def __init__(self, folder: Path) -> None:
        self.store = LocalStore(folder)
        self.workers = [Worker(self.store, {}) for _ in range(2)]
        for worker in self.workers:
            worker.begin()
        self.claims = [Claims(self.store, worker) for worker in self.workers]

    def silence_first(self) -> None:
        """As if it had stood still for long: its file is old, and it is no longer sure of itself."""
        worker = self.workers[0]
        worker._beaten -= LOST + 60
        path = self.store.root / worker._key
        os.utime(path, (path.stat().st_mtime - LOST - 60,) * 2)


@pytest.mark.parametrize("links", [True, False])
def test_a_claim_says_whose_it_is_as_soon_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """A run that is killed at that moment would else leave one of nobody, which others wait for."""
    real, seen = os.link, []

    def link(half: Path, path: Path) -> None:
        if not links:
            raise PermissionError(1, "this file system has no hard links")
        seen.append((path.exists(), half.read_bytes()))
        real(half, path)

    monkeypatch.setattr(os, "link", link)
    store = LocalStore(tmp_path)
    assert store.put_new("claims/a", b"mine")
    assert not store.put_new("claims/a", b"another's")
    assert seen == [(False, b"mine")] * links
    assert {path.name: path.read_bytes() for path in (tmp_path / "claims").iterdir()} == {"a": b"mine"}


def test_a_run_that_stood_still_has_lost_its_claim(tmp_path: Path) -> None:
    two = Two(tmp_path)
    first, second = two.claims
    assert first.take("a")
    assert not second.take("a")
    two.silence_first()
    assert first.holds("a"), "nobody took it"
    assert second.take("a")
    assert not first.holds("a")
    first.release("a")
    assert second.holds("a"), "what is no longer one's own is not released"
    two.workers[0]._beaten += LOST + 60
    assert not first.take("a")
    second.release("a")
    assert not list((tmp_path / "claims").iterdir())
    assert first.take("a")


def test_of_many_that_claim_at_once_one_wins(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    dead = Worker(store, {})
    dead.begin()
    assert Claims(store, dead).take("key")
    dead.end()
    live = [Worker(store, {}) for _ in range(6)]
    for worker in live:
        worker.begin()
    everyone = [Claims(store, worker) for worker in live]
    inside, most, times = 0, 0, 0
    lock, start = threading.Lock(), threading.Barrier(len(everyone))

    def go(claims: Claims) -> None:
        nonlocal inside, most, times
        start.wait()
        for _ in range(100):
            if claims.take("key"):
                with lock:
                    inside, times = inside + 1, times + 1
                    most = max(most, inside)
                with lock:
                    inside -= 1
                claims.release("key")

    threads = [threading.Thread(target=go, args=(claims,)) for claims in everyone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert times > 0


def test_long_lines_of_several_writers_do_not_mix(tmp_path: Path, words: Any) -> None:
    several = [Records(tmp_path) for _ in range(4)]

    def write(records: Records, number: int) -> None:
        for count in range(20):
            records.begin(Key(f"{number}-{count}" + "x" * 20_000, "run"), "x", "out", "mask")

    threads = [threading.Thread(target=write, args=(each, number)) for number, each in enumerate(several)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / ".imgai" / "records.jsonl").read_text().splitlines()
    assert len({json.loads(line)["path"] for line in lines}) == 80


@pytest.fixture
def imgai() -> Callable[..., Any]:
    app = build_app(load_registry())
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_a_failure_that_a_killed_worker_had_kept_is_not_kept_again(tmp_path: Path) -> None:
    """The next worker is given the input again, as nobody was told; other failures and later runs are news."""
    failure = {
        "schema": SCHEMA, "input": "bad.png", "path": "/bad.png", "run": "segment", "status": "failed",
        "outputs": [], "digest": "a", "error": "not a picture",
    }  # fmt: skip
    earlier = Records(tmp_path)
    earlier.prepare()
    earlier.append(failure)
    handing_out = Records(tmp_path)
    handing_out.load()
    kept = []
    for error in ("not a picture", "not a picture", "2 workers died of it", "2 workers died of it"):
        worker = Records(tmp_path)
        worker.follow(handing_out.mark())
        worker.append(failure | {"error": error})
        lines = worker.path.read_text().splitlines()
        kept.append(len(lines))
    assert kept == [2, 2, 3, 3]
    alive = Records(tmp_path)
    alive.follow(handing_out.mark())
    Records(tmp_path).append(failure | {"path": "/other.png"})  # in the meantime, by another worker
    alive.append(failure | {"path": "/other.png"})
    assert len(alive.path.read_text().splitlines()) == 4
    again = Records(tmp_path)
    again.load()
    again.append(failure)
    assert len(again.path.read_text().splitlines()) == 5


def test_runs_tells_what_is_missing_and_failed(
    twelve: Path, tmp_path: Path, find_light: Any, imgai: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (twelve / "deep" / "bad.png").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    found, _ = find_light(["in"], tmp_path / "out", part="1/2")
    monkeypatch.chdir("/")
    answer = imgai("runs", "missing", tmp_path / "out")
    assert answer.exit_code == 1
    assert len(answer.stdout.splitlines()) == 13 - found.done
    find_light([twelve], tmp_path / "out")
    answer = imgai("runs", "missing", tmp_path / "out")
    assert answer.stdout.splitlines() == [str(twelve / "deep" / "bad.png")]
    shown = imgai("runs", "show", tmp_path / "out").stdout
    assert "find-light --as mask: 12 done, 1 failed" in shown
    assert "bad.png" in shown
    assert "part 1/2: ended" in shown
    told = json.loads(imgai("runs", "show", "--json", tmp_path / "out").stdout)
    assert told["runs"][0]["done"] == 12
    (twelve / "deep" / "bad.png").unlink()
    (tmp_path / "out" / "deep" / "4.png").unlink()
    answer = imgai("runs", "missing", tmp_path / "out", twelve)
    assert answer.stdout.splitlines() == [str(twelve / "deep" / "4.png")]
    assert imgai("runs", "show", tmp_path / "in").exit_code == 2


def test_runs_merge_keeps_all_that_counts(twelve: Path, tmp_path: Path, find_light: Any, imgai: Any) -> None:
    out = tmp_path / "out"
    find_light([twelve], out)
    find_light([twelve], out, force=True)
    find_light([twelve], out, kinds=("binary", "overlay"))
    assert "12 done more than once" in imgai("runs", "show", out).stdout
    assert imgai("runs", "merge", out).exit_code == 0
    assert len((out / ".imgai" / "records.jsonl").read_text().splitlines()) == 24
    assert find_light([twelve], out)[0].skipped == 12
    assert find_light([twelve], out, kinds=("binary", "overlay"))[0].skipped == 12


def test_what_was_undone_does_not_count_as_done(twelve: Path, tmp_path: Path, find_light: Any, imgai: Any) -> None:
    out = tmp_path / "out"
    find_light([twelve], out)
    find_light([twelve], out, force=True)
    mine = min(out.rglob("*.png"))
    mine.write_bytes(mine.read_bytes() + b"mine")  # so that undo leaves it, and the records
    imgai("undo", out)
    for _ in range(2):  # before and after the lines that count no more are gone
        assert json.loads(imgai("runs", "show", out, "--json").stdout)["runs"] == []
        assert imgai("runs", "merge", out).exit_code == 0
    lines = (out / ".imgai" / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["done", "undone"]  # the first says whose the file is
    mine.unlink()
    assert find_light([twelve], out)[0].done == 12


def test_runs_merge_waits_for_runs_at_work(twelve: Path, tmp_path: Path, find_light: Any, imgai: Any) -> None:
    find_light([twelve], tmp_path / "out")
    other = Worker(LocalStore(tmp_path / "out" / ".imgai"), {})
    other.begin()
    answer = imgai("runs", "merge", tmp_path / "out")
    assert answer.exit_code == 2
    assert "running" in imgai("runs", "show", tmp_path / "out").stdout
    other.end()
    assert imgai("runs", "merge", tmp_path / "out").exit_code == 0


def test_the_notes_of_runs_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_KEPT", 3)
    for _ in range(6):
        worker = Worker(LocalStore(tmp_path), {})
        worker.begin()
        worker.end(done=1)
    assert len(list((tmp_path / "workers").iterdir())) == 4
