"""``imgai train`` from a folder to a model that runs as any other."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import imgai
from imgai.cli.train import _train
from imgai.console import Console
from imgai.errors import InputError, PluginError, UsageError
from imgai.evaluation.learned import keys_of, learned_by, warning
from imgai.params import as_values
from imgai.plugin import Model
from imgai.registry import load_registry
from imgai.runs.commit import DiskFull, hash_of
from imgai.trained import declaration, learned_from
from imgai.training.loop import Unlearned
from imgai.training.prepare import Job, prepare
from imgai.training.recorder import Recorder, locked
from imgai.training.search import _tried
from imgai.training.settings import TrainOptions, train_options
from imgai.training.tell import Teller
from imgai.training.train import read
from imgai.training.world import World
from imgai.words.command import Given

Train = Callable[..., int]
SMALL = {"from_": "unet", "width": 4, "size": 32, "batch": 4}


Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(python: str) -> Shell:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
        return subprocess.run([python, "-m", "imgai", *words], capture_output=True, text=True, env=environment)

    return call


def test_what_is_trained_finds_what_it_was_shown_and_runs_everywhere(
    train: Train, shell: Shell, squares: Path, models: Path, tmp_path: Path
) -> None:
    assert train("segment", squares, name="squares", epochs=25, **SMALL) == 0
    folder = models / "squares"
    beside = {"squares.safetensors", "log.jsonl", "results.csv", "curves.png", "validation.png", "card.md"}
    assert beside <= {path.name for path in folder.iterdir()}
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert float(rows[-1]["dice"]) > 0.75 > float(rows[0]["dice"])
    losses = [row["loss"] for row in map(json.loads, (folder / "log.jsonl").open()) if "loss" in row]
    assert losses == sorted(losses, reverse=True)
    assert losses
    declared = declaration(folder / "squares.safetensors")
    assert declared is not None
    assert declared["base"]["plugin"] == "imgai-segment"
    assert declared["measures"]["dice"] == max(float(row["dice"]) for row in rows)
    with safe_open(folder / "squares.safetensors", "pt") as file:
        assert not [name for name in file.keys() if "running" in name], "normalisation is folded in"  # noqa: SIM118
    for image in Image.open(folder / "curves.png"), Image.open(folder / "validation.png"):
        image.load()
    assert "*to be said by its owner*" in (folder / "card.md").read_text()

    # The library, a chain, a path: the same mask.
    picture = squares / "images" / "0.png"
    by_name = imgai.load("segment", model="squares")(picture)
    by_path = imgai.load(f"segment --model {folder / 'squares.safetensors'}")(picture)
    assert torch.equal(by_name.masks["foreground"], by_path.masks["foreground"])
    answer = shell("chain", str(picture), "-o", str(tmp_path / "out"), "segment --model squares --as mask")
    assert answer.returncode == 0, answer.stderr
    found = np.asarray(Image.open(tmp_path / "out" / "0.png")) > 127
    right = np.asarray(Image.open(squares / "masks" / "0.png")) > 127
    assert 2 * (found & right).sum() / (found.sum() + right.sum()) > 0.75


def test_other_weights_under_the_same_name_are_another_model_to_a_run(
    train: Train, squares: Path, models: Path, tmp_path: Path
) -> None:
    list(imgai.run("segment --model nuclei", squares / "images", tmp_path / "first"))  # no user's model is needed
    train("segment", squares, name="again", epochs=1, **SMALL)
    inputs, out = squares / "images" / "0.png", tmp_path / "out"
    run = lambda: [record["status"] for record in imgai.run("segment --model again", inputs, out)]  # noqa: E731
    assert [run(), run()] == [["done"], ["skipped"]]
    train("segment", squares, name="again", epochs=2, overwrite=True, **SMALL)
    assert run() == ["done"]


def test_a_new_head_is_trained_first_and_the_classifier_runs(train: Train, stripes: Path, models: Path) -> None:
    assert train("classify", stripes, name="stripes", epochs=1, from_="imagenet", size=64) == 0
    declared = declaration(models / "stripes" / "stripes.safetensors")
    assert declared is not None
    assert declared["measures"]["top1"] == 1.0
    assert (models / "stripes" / "confusion.png").is_file()
    result = imgai.load("classify", model="stripes")(stripes / "down" / "1.png")
    assert next(iter(result.scores)) == "down"


@pytest.mark.parametrize(("balance", "adjusts"), [("auto", True), ("none", False), ("oversample", False)])
def test_a_rare_class_changes_the_loss_of_labels_and_no_picture_comes_more_often(
    balance: str, adjusts: bool, stripes: Path, models: Path
) -> None:
    for path in sorted((stripes / "down").iterdir())[3:]:
        path.unlink()
    told = {"folder": stripes, "from_": "cnn", "width": 4, "size": 32, "batch": 4, "balance": balance}
    options = as_values(TrainOptions, {**told, "epochs": 1, "devices": "cpu"})
    registry = load_registry()
    dataset = read(options, registry.task("classify"), registry.model("classify", "cnn"))
    job = Job("classify", "net", "cnn", models, options, dataset, False, {})
    prepared = prepare(job, registry, World(torch.device("cpu")), Teller(Console(quiet=True)))
    answer = torch.zeros(2, 2)
    plain = torch.nn.functional.cross_entropy(answer, torch.tensor([0, 0]))
    assert (float(prepared.learner.loss(answer, torch.tensor([0, 0]))) < float(plain)) == adjusts
    order = prepared.loop.batches(4).order  # type: ignore[attr-defined]
    assert order.balance == ("none" if adjusts else balance)


@pytest.mark.parametrize(("asked", "taken"), [(None, 448), (64, 64), (896, 896)])
def test_a_model_is_taught_at_the_size_that_it_says_and_keeps_it(
    asked: int | None, taken: int, squares: Path, models: Path
) -> None:
    """`subject` is given 896 x 896, of which it sees the whole at 448 x 448."""
    told = {"folder": squares, "from_": "subject", "epochs": 1, "devices": "cpu"} | ({"size": asked} if asked else {})
    options = as_values(TrainOptions, told)
    registry = load_registry()
    base = registry.model("segment", "subject")
    assert (base.input_size, base.train_size) == ((896, 896), 448)
    dataset = read(options, registry.task("segment"), base)
    job = Job("segment", "net", "subject", models, options, dataset, False, {})
    begun = prepare(job, registry, World(torch.device("cpu")), Teller(Console(quiet=True))).begun
    assert (begun.size, begun.model.input_size, begun.model.train_size) == (taken, (taken, taken), None)


def test_a_small_network_learns_classes_from_nothing(train: Train, stripes: Path, tmp_path: Path) -> None:
    out = tmp_path / "my Stripes"
    assert train("classify", stripes, out=out, epochs=40, from_="cnn", width=4, size=32, batch=8) == 0
    declared = declaration(out / "my-stripes.safetensors")
    assert declared is not None
    assert declared["measures"]["top1"] == 1.0
    assert declared["model"]["labels"] == ["across", "down"]
    learned = learned_by(load_registry().model("classify", str(out / "my-stripes.safetensors")))
    count = declared["pictures"]["train"]
    assert learned is not None
    assert learned["count"] == count
    words = warning("mine", learned, keys_of(sorted(stripes.rglob("*.png")), 10_000))
    assert words.startswith(f"{count} of 20 pictures are among those that mine learned from")


def test_of_many_pictures_that_were_learned_from_some_are_known() -> None:
    every = [f"{random.Random(number).getrandbits(128):032x}" for number in range(8000)]
    learned = learned_from(every[:4000])
    assert len(learned["least"]) < 2000
    assert warning("mine", learned, every[4000:]) == ""
    about = int(warning("mine", learned, every[2000:6000]).split()[1])
    assert 1700 < about < 2300


def final(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    return {**state["network"], **{f"average {name}": value for name, value in state["average"].items()}}


def test_a_killed_training_goes_on_as_if_nothing_had_happened(train: Train, squares: Path, models: Path) -> None:
    options = {**SMALL, "epochs": 20, "dropout": 0.2, "augment": "strong"}
    train("segment", squares, name="whole", **options)
    words = [f"--{name.rstrip('_')}={value}" for name, value in options.items()]
    command = ["train", "segment", str(squares), "--name", "killed", "--devices", "cpu", "-q", *words]
    rng, checkpoint = random.Random(int(time.time())), models / "killed" / "checkpoint.pt"
    for resume in ((), ("--resume",)):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = subprocess.Popen(
            [sys.executable, "-m", "imgai", *command, *resume], env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        assert process.wait() in (-signal.SIGKILL, 0)
    left = models / "killed" / ".candidate.safetensors"  # killed while it measured
    left.write_bytes(b"half")
    assert train("segment", squares, name="killed", resume=True) == 0
    assert not left.exists()
    one, other = final(models / "whole"), final(models / "killed")
    assert one.keys() == other.keys()
    assert max(float((one[name].double() - other[name].double()).abs().max()) for name in one) == 0
    whole, killed = (load_file(models / name / f"{name}.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    steps = [row["step"] for row in map(json.loads, (models / "killed" / "log.jsonl").open())]
    assert steps == sorted(steps)


def test_resuming_with_other_numbers_is_refused(train: Train, squares: Path) -> None:
    train("segment", squares, name="rest", epochs=1, **SMALL)
    with pytest.raises(UsageError, match="--rate was None in the training that goes on"):
        train("segment", squares, name="rest", resume=True, rate=0.5)
    with pytest.raises(UsageError, match="holds a model or a training already; go on with --resume"):
        train("segment", squares, name="rest", epochs=1, **SMALL)
    (squares / "images" / "0.png").unlink()
    with pytest.raises(UsageError, match="has changed since that training began"):
        train("segment", squares, name="rest", resume=True)
    with pytest.raises(UsageError, match="there is no training to go on with"):
        train("segment", squares, name="other", resume=True)


def test_a_signal_ends_it_with_the_best_so_far(squares: Path, models: Path, python: str) -> None:
    command = ["train", "segment", str(squares), "--name", "long", "--devices", "cpu", "--minutes", "30", "--json"]
    words = [f"--{name.rstrip('_')}={value}" for name, value in SMALL.items()]
    process = subprocess.Popen([python, "-m", "imgai", *command, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1]["event"] == "step":
            process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert seen[-1]["event"] == "end"
    assert seen[-1]["ending"] == "stopped"
    assert hash_of(models / "long" / "long.safetensors")
    assert (models / "long" / "card.md").is_file()


def test_two_processes_train_one_model(train: Train, squares: Path, models: Path) -> None:
    assert train("segment", squares, name="pair", epochs=10, **{**SMALL, "batch": 2, "devices": "cpu,cpu"}) == 0
    rows = list(map(json.loads, (models / "pair" / "log.jsonl").open()))
    losses = [row["loss"] for row in rows if "loss" in row]
    assert rows[-1]["step"] == 20, "each process takes its own half of every round"
    assert losses[-1] < losses[0]
    assert (models / "pair" / "pair.safetensors").is_file()


def test_a_rehearsal_writes_nothing_and_tells_how_long(
    train: Train, squares: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("segment", squares, dry_run=True, json=True, epochs=3, **SMALL) == 0
    plan = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert plan["event"] == "plan"
    assert plan["steps_an_epoch"] == 2
    assert plan["seconds_an_epoch"] > 0
    assert not models.exists()


def test_a_search_takes_the_rate_that_did_best(
    train: Train, squares: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("segment", squares, name="sought", epochs=8, search=3, json=True, **SMALL) == 0
    events = list(map(json.loads, capsys.readouterr().out.splitlines()))
    tried = [event for event in events if event["event"] == "search"]
    assert len({event["rate"] for event in tried}) == 3
    best = max(tried, key=lambda event: event["score"])
    state = torch.load(models / "sought" / "checkpoint.pt", weights_only=True)
    assert state["options"]["rate"] == best["rate"]
    first = next(event for event in events if event["event"] == "measure")
    assert first["step"] == 0
    assert first["score"] == pytest.approx(best["score"], abs=0.05), "it goes on from what that run had learned"
    assert not (models / "sought" / ".sought.pt").exists()
    assert train("segment", squares, name="sought", resume=True) == 0, "it goes on with that rate"


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_search_tries_as_many_rates_as_it_is_asked_to(count: int) -> None:
    rng = np.random.default_rng(0)
    job = cast("Job", None)
    rates = [_tried(number, count, (1e-3, 64, False), job, rng)["rate"] for number in range(count)]
    assert rates[0] == pytest.approx(1e-3)
    assert len({round(rate, 9) for rate in rates}) == count
    assert 1e-4 < min(rates) < max(rates) < 1e-2


def test_what_cannot_be_measured_ends_without_a_model_and_says_so(
    train: Train, squares: Path, models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def over(*_: object) -> None:
        raise InputError("1.png: the model gave values that are not finite")

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "measured", over)
        assert train("segment", squares, name="over", quiet=False, **SMALL, epochs=1) == 1
    told = capsys.readouterr().err
    assert "not measured at step 2: 1.png: the model gave values that are not finite" in told
    assert "nothing was measured, so no model is kept" in told
    assert not (models / "over" / "over.safetensors").exists()
    assert train("segment", squares, name="over", resume=True, epochs=2) == 0
    with pytest.raises(Unlearned, match=r"use a lower --rate or another --loss$"):
        train("segment", squares, name="far", rate=1e9, epochs=3, ema=False, **SMALL)


def test_a_disk_that_is_full_at_the_end_costs_pictures_beside_the_model_alone(
    train: Train, squares: Path, models: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskFull("validation.png cannot be written: the disk is full")

    monkeypatch.setattr("imgai.training.finish.write_sheet", full)
    assert train("segment", squares, name="full", quiet=False, epochs=1, **SMALL) == 0
    told = capsys.readouterr().err
    assert "not all that goes beside the model is written: validation.png" in told
    assert "use it: imgai segment FOLDER --model full" in told


def test_two_trainings_do_not_share_a_folder(train: Train, squares: Path, models: Path) -> None:
    with locked(models / "busy"), pytest.raises(UsageError, match="another training writes to"):
        train("segment", squares, name="busy", epochs=1, **SMALL)
    assert train("segment", squares, name="busy", epochs=1, **SMALL) == 0


def test_names_that_cannot_be(train: Train, squares: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="subject is a model of imgai-segment"):
        train("segment", squares, name="subject", epochs=1)
    with pytest.raises(UsageError, match="cannot be called 'My Model'"):
        train("segment", squares, name="My Model", epochs=1)
    with pytest.raises(UsageError, match="what the model is to be called"):
        train("segment", squares, epochs=1)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written to: Not a directory; choose another --out"):
        train("segment", squares, out=tmp_path / "file" / "out", name="a", epochs=1)
    with pytest.raises(UsageError, match="zero-shot of classify cannot be trained; --from takes imagenet"):
        train("classify", squares, name="a", from_="zero-shot")


@pytest.mark.parametrize("words", [["--help"], ["segment", "--help"]])
def test_commands_that_train_nothing_load_nothing_of_it(words: list[str]) -> None:
    program = f"""
import sys
from imgai.cli.main import main
sys.argv = ["imgai", *{words!r}]
try:
    main()
except SystemExit:
    pass
names = [name for name in sys.modules if name.startswith(("imgai.train", "torch"))]
print(names, file=sys.stderr)
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stderr.strip() == "[]"


def test_a_model_that_has_learned_nothing_is_not_run(shell: Shell) -> None:
    with pytest.raises(UsageError, match="has learned nothing yet"):
        imgai.load("segment", model="unet")
    listed = shell("segment", "--help").stdout
    assert "subject" in listed
    assert "unet" not in listed


def bad(kind: str, good: bytes) -> bytes:
    size = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + size])
    about = json.loads(header["__metadata__"]["imgai"])
    if kind == "cut off":
        return good[: len(good) // 2]
    if kind == "empty":
        return b""
    if kind == "no such file":
        return good[:8] + b"{" * size + good[8 + size :]
    if kind == "not installed":
        about["base"] = {"model": "other", "plugin": "imgai-other"}
    elif kind == "another version":
        about["schema"] = 99
    elif kind == "labels":
        about["model"]["labels"] = ["a", "b", "c"]
    elif kind == "code":
        about["model"]["load"] = "os:abort"
    header["__metadata__"]["imgai"] = json.dumps(about)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + good[8 + size :]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a trained model."""
    from imgai_segment.unet import UNet
    from safetensors.torch import save

    about = {
        "schema": 1,
        "task": "segment",
        "name": "mine",
        "base": {"model": "unet", "plugin": "imgai-segment", "version": "0"},
        "model": {"labels": ["vessel"]},
    }
    network = UNet((2, 4), 1)
    return bytes(save(dict(network.state_dict()), {"imgai": json.dumps(about)}))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("cut off", "is damaged|cut off"),
        ("empty", "cut off"),
        ("no such file", "no file of weights"),
        ("not installed", "other of imgai-other, which is not installed; pip install imgai-other"),
        ("another version", "another version of imgai"),
        ("labels", "cannot be loaded by imgai_segment.unet:load"),
    ],
)
def test_files_that_cannot_be_used_say_why_in_one_line(
    kind: str, words: str, good: bytes, models: Path, tmp_path: Path
) -> None:
    path = models / "mine" / "mine.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(bad(kind, good))
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    for model in ("mine", str(path)):
        with pytest.raises(PluginError, match=words) as caught:
            imgai.load("segment", model=model)(tmp_path / "a.png")
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 3


def test_a_header_names_no_code(good: bytes, models: Path, tmp_path: Path) -> None:
    path = models / "mine.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(bad("code", good))
    model = load_registry().model("segment", "mine")
    assert model.load == "imgai_segment.unet:load"
    assert model.labels == ("vessel",)


def test_models_of_the_user_are_listed_and_removed(shell: Shell, good: bytes, models: Path) -> None:
    path = models / "mine" / "mine.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(good)
    (models / "broken.safetensors").write_bytes(b"no")
    listed = shell("models")
    assert listed.returncode == 0, listed.stderr
    assert "mine" in listed.stdout
    assert "broken.safetensors" in listed.stderr
    assert "vessel" in shell("models", "info", "mine").stdout
    assert shell("models", "remove", "subject").returncode == 2
    assert shell("models", "remove", "../mine").returncode == 2
    removed = shell("models", "remove", "mine")
    assert removed.returncode == 0, removed.stderr
    assert not path.parent.exists()
    assert shell("models", "remove", "mine").returncode == 2


def test_a_plugins_name_wins(good: bytes, models: Path) -> None:
    path = models / "nuclei" / "nuclei.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(good)
    model: Model = load_registry().model("segment", "nuclei")
    assert model.labels == ("nucleus",)


def test_a_file_of_settings_is_the_options_and_what_is_typed_wins(
    squares: Path, tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task, file = load_registry().task("segment"), tmp_path / "train.toml"
    defaults = {each.name: each.default for each in train_options()}
    typed = {"folder": squares, "settings": file, "dry_run": True, "json": True, "devices": "cpu", "batch": 2}

    def run() -> dict[str, object]:
        assert _train(task, Given({**defaults, **typed}, frozenset(typed))) == 0
        return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))

    file.write_text('from = "unet"\nwidth = 4\nsize = 32\nbatch = 4\nepochs = 7\n')
    plan = run()
    assert plan["size"] == 32
    assert plan["batch"] == 2
    assert plan["steps_an_epoch"] == 4
    for text, words in (
        ("epoch = 3", "train.toml:1: .*did you mean 'epochs'"),
        ('\nbatch = "many"', "train.toml:2: "),
        ("json = true", "no option 'json'"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError, match=words):
            run()


def test_a_task_that_cannot_be_trained_says_so(shell: Shell) -> None:
    answer = shell("train", "stylize", "folder", "--name", "mine")
    assert answer.returncode == 2
    assert "no model of stylize can be trained; imgai train takes classify," in answer.stderr
