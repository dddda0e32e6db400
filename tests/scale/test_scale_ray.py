"""``--on ray``, on a cluster of two nodes on this machine. Workers are killed, and in the end a node."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from scaling import Words, do, make_run, png, set_environment

import imgai
from imgai.errors import UsageError
from imgai.runs import Run
from imgai.runs import cluster as cluster_module

pytestmark = pytest.mark.timeout(900)  # workers start slowly where much else runs


@pytest.fixture(scope="module")
def cluster(server: int) -> Iterator[Any]:
    """Two nodes of one core each, which know the store's credentials, and the variable that leads to them."""
    before = dict(os.environ)
    set_environment(pytest.MonkeyPatch(), server)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    from ray.cluster_utils import Cluster

    nodes = Cluster()
    _begun(nodes, include_dashboard=False)
    nodes.second = _begun(nodes)
    os.environ["RAY_ADDRESS"] = nodes.address
    yield nodes
    os.environ.clear()
    os.environ.update(before)
    nodes.shutdown()


def _begun(nodes: Any, **options: Any) -> Any:
    """A node of one core. Ray gives up after half a minute, which a busy machine may need."""
    for _ in range(3):
        try:
            return nodes.add_node(num_cpus=1, **options)
        except Exception as error:
            last = error
    raise last


@pytest.fixture
def forty(tmp_path: Path) -> Path:
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    for seed in range(40):
        (folder / f"{seed}.png").write_bytes(png(seed))
    return tmp_path / "in"


def workers() -> list[psutil.Process]:
    """The processes that do the work, of this cluster alone: its nodes are children of this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it is gone
            if (process.cmdline() or [""])[0].startswith("ray::MapWorker"):
                found.append(process)
    return found


def _node_of(run: Run) -> str:
    """The node of the process that hands rows out."""
    ask: Callable[..., str] = run._stages._ask  # type: ignore[union-attr]
    return ask("__ray_call__", lambda _: __import__("ray").get_runtime_context().get_node_id())


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.png")}


def records(out: Path) -> dict[str, list[str]]:
    """How each input ended, every time that it did."""
    found: dict[str, list[str]] = {}
    for line in (out / ".imgai" / "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["status"] in ("done", "failed"):
            found.setdefault(Path(record["path"]).name, []).append(record["status"])
    return found


def test_workers_do_what_a_local_run_does_though_one_is_killed_and_one_picture_kills(
    cluster: Any, forty: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (forty / "bad.png").write_text("no picture")
    local = do(forty, tmp_path / "local", deadly=True, slow=0.05)
    Image.new("RGB", (30, 20), (255, 0, 0)).save(forty / "poison.png")
    words = Words()
    run = make_run(forty, tmp_path / "out", deadly=True, slow=0.05, on="ray", workers=2, words=words)
    told = []
    for record in run:
        told.append((Path(record["input"]).name, record["status"]))
        if len(told) == 5:
            workers()[0].kill()
    assert len(set(told)) == len(told) == 42
    assert run.summary.done + run.summary.skipped == local.summary.done == 40
    assert run.summary.failed == 2
    assert run.summary.exit_code == 1
    assert "on 2 workers of ray" in words.text
    assert "bad.png: not a picture" in words.text
    assert "poison.png: 2 workers died of it" in words.text
    assert files(tmp_path / "out") == files(tmp_path / "local")
    assert records(tmp_path / "out") == {
        name: ["failed" if name in ("bad.png", "poison.png") else "done"]
        for name in [f"{seed}.png" for seed in range(40)] + ["bad.png", "poison.png"]
    }
    assert not list((tmp_path / "out" / ".imgai" / "claims").iterdir())
    assert "A worker died" not in capfd.readouterr().err, "what Ray logs is not among the lines of a run"
    (forty / "poison.png").unlink()
    again = do(forty, tmp_path / "out", deadly=True, slow=0.05)
    assert (again.summary.skipped, again.summary.failed) == (40, 1), "a local run goes on with it"


def test_ctrl_c_ends_cleanly(cluster: Any, forty: Path, tmp_path: Path, begin: Callable[..., Any]) -> None:
    child = begin(forty, tmp_path / "out", on="ray", workers=2, slow=0.3)
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    told = child.stdout.read().splitlines()
    assert child.wait(60) == 130
    assert 1 + len(told) == len(files(tmp_path / "out")) < 40
    until = time.monotonic() + 60
    while workers() and time.monotonic() < until:
        time.sleep(0.2)
    assert not workers()
    run = do(forty, tmp_path / "out", slow=0.3, dry_run=True)
    assert run.summary.skipped == 1 + len(told)


def test_the_library_runs_on_a_cluster_into_a_store(cluster: Any, forty: Path, bucket: str, tmp_path: Path) -> None:
    for seed in range(6, 40):
        (forty / "deep" / f"{seed}.png").unlink()
    (forty / "bad.png").write_text("no picture")
    told = list(imgai.run("segment", forty, f"{bucket}/out", on="ray", workers=1))
    assert sorted(record["status"] for record in told) == ["done"] * 6 + ["failed"]
    assert "not a picture" in next(record["error"] for record in told if record["status"] == "failed")
    local = {Path(each["input"]).name: each for each in imgai.run("segment", forty, f"{bucket}/out")}
    assert [each["status"] for each in local.values()].count("skipped") == 6


def test_a_table_of_labels_has_what_workers_did(cluster: Any, forty: Path, tmp_path: Path) -> None:
    for seed in range(6, 40):
        (forty / "deep" / f"{seed}.png").unlink()
    (forty / "bad.png").write_text("no picture")
    do(forty, tmp_path / "local.csv", labels=True)
    do(forty, tmp_path / "on.csv", labels=True, on="ray", workers=1)
    assert (tmp_path / "on.csv").read_text() == (tmp_path / "local.csv").read_text()


def test_another_version_there_is_told_in_one_line(
    cluster: Any, forty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "__version__", "9.9")
    with pytest.raises(UsageError, match=f"the cluster's Python has imgai {imgai.__version__}, and this is imgai 9.9"):
        do(forty, tmp_path / "out", on="ray", workers=1)


def test_what_does_not_go_with_it_is_refused(tmp_path: Path) -> None:
    for options in ({"on": "spark"}, {"on": "ray", "watch": True}, {"on": "ray", "report": Path("a.html")},
                    {"workers": 2}):  # fmt: skip
        with pytest.raises(UsageError):
            do(tmp_path, tmp_path / "out", **options)


def test_a_cluster_that_is_not_there_is_told(forty: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be reached"):
        do(forty, tmp_path / "out", on="ray://127.0.0.1:9")


def test_a_node_that_is_lost_is_done_without(
    cluster: Any, forty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last: it takes a node away, and none comes in its place."""
    monkeypatch.setattr(cluster_module, "PATIENCE", 5.0)
    do(forty, tmp_path / "local", slow=0.1)
    run = make_run(forty, tmp_path / "out", on="ray", workers=2, slow=0.1)
    for count, _ in enumerate(run):
        if count == 5:
            assert _node_of(run) == cluster.head_node.node_id, "a run is not lost with any other node"
            cluster.remove_node(cluster.second, allow_graceful=False)
    assert (run.summary.done + run.summary.skipped, run.summary.failed) == (40, 0)
    assert files(tmp_path / "out") == files(tmp_path / "local")
    assert all(each == ["done"] for each in records(tmp_path / "out").values())
