"""``--backend``, ``imgai models export``: what else runs a network gives the same pixels."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import imgai
from imgai.errors import PluginError, UsageError
from imgai.options import Machine
from imgai.plugin import Model
from imgai.predict.backends import _MODULES, _TABLE, choose_backend, onnx
from imgai.predict.backends.export import check, export, key
from imgai.predict.backends.int8 import _deciding
from imgai.predict.backends.whole import write
from imgai.predict.device import choose_devices
from imgai.predict.machine import place
from imgai.predict.spec import StepSpec
from imgai.registry import load_registry
from tests.models.conftest import Command

CPU = choose_devices("cpu")[0]


def needs(backend: str) -> None:
    pytest.importorskip(_MODULES[backend][1])


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("denoise", "gaussian"),
        ("enhance", "auto"),
        ("enhance", "low-light"),
        ("segment", "subject"),
        ("segment", "nuclei"),
        ("detect", "nanodet"),
        ("super-resolve", "photo-x4"),
        ("super-resolve", "clean-x2"),
    ],
)
def test_graphs_give_the_pixels_of_torch(cat: Path, cache: Path, backend: str, task: str, model: str) -> None:
    needs(backend)
    ours = imgai.load(task, model=model, machine=Machine(device="cpu", precision="fp32", backend="torch"))(cat)
    theirs = imgai.load(task, model=model, machine=Machine(device="cpu", backend=backend))(cat)
    assert (ours.image - theirs.image).abs().max() <= 1.01 / 255
    for label, mask in ours.masks.items():
        assert (mask - theirs.masks[label]).abs().max() <= 1.01 / 255
    assert [box.label for box in ours.boxes] == [box.label for box in theirs.boxes]
    (graph,) = (cache / "graphs").iterdir()
    before = graph.stat().st_mtime_ns
    imgai.load(task, model=model, machine=Machine(device="cpu", backend=backend))(cat)
    assert [each.stat().st_mtime_ns for each in (cache / "graphs").iterdir()] == [before], "it is made once"


def test_another_backend_makes_nothing_again(cat: Path, tmp_path: Path) -> None:
    needs("onnx")
    step = "denoise --model gaussian"
    machines = (Machine(device="cpu", precision="fp32", backend="torch"), Machine(device="cpu", backend="onnx"))
    statuses = [
        [record["status"] for record in imgai.run(step, cat, tmp_path / "out", machine=machine)] for machine in machines
    ]
    assert statuses == [["done"], ["skipped"]]


def test_auto_takes_from_the_table_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = load_registry()
    table = tomllib.loads(_TABLE.read_text())
    known = {f"{model.task}/{model.name}" for model in registry.models()}
    assert set(table) <= known
    assert {name for names in table.values() for name in names} <= set(_MODULES) - {"torch"}
    model = registry.model("denoise", "gaussian")
    monkeypatch.setattr("imgai.predict.backends._table", lambda: {"denoise/gaussian": ("openvino", "onnx")})
    for there, taken in ((("openvino", "onnx"), "openvino"), (("onnx",), "onnx"), ((), "torch")):
        monkeypatch.setattr("imgai.predict.backends._installed", lambda name, there=there: name in there)
        assert choose_backend("auto", [model]).name == taken
    assert choose_backend("auto", [model], "cuda").name == "torch"
    monkeypatch.setattr("imgai.predict.backends._installed", lambda name: False)
    with pytest.raises(UsageError, match=r"--backend openvino needs openvino; pip install 'imgai\[openvino\]'"):
        choose_backend("openvino", [model])


def test_graphs_compute_in_fp32() -> None:
    needs("onnx")
    models = [load_registry().model("denoise", "photo")]
    assert place(Machine(backend="onnx"), CPU, models).precision is torch.float32
    with pytest.raises(UsageError, match="--backend onnx computes in fp32, not bf16"):
        place(Machine(backend="onnx", precision="bf16"), CPU, models)


class Baked(nn.Module):
    """A network whose graph would hold for one size alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.shape[-1])


class Random(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def test_a_graph_that_answers_otherwise_is_refused() -> None:
    needs("onnx")
    from imgai.predict.backends.onnx import OnnxBackend

    images = torch.rand(1, 3, 16, 16)
    for network in (Baked(), Random()):
        backend = OnnxBackend()
        graph = export(network, (images,), any_size=True)
        with pytest.raises(PluginError, match="answers otherwise"):
            check(network, backend._callable(graph, CPU), (images,), 1)


class Turned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.rot90(x, 2, (2, 3))


def test_a_network_that_is_no_graph_is_told_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    needs("onnx")
    with pytest.raises(PluginError, match=r"Turned cannot be a graph of ONNX: .*rot90"):
        export(Turned(), (torch.rand(1, 3, 16, 16),), any_size=True)
    assert capfd.readouterr() == ("", ""), "records and pictures go to stdout"


def test_graphs_are_kept_apart_by_all_that_they_depend_on() -> None:
    images = (torch.rand(1, 3, 16, 16),)
    keys = {key(Scaled(factor), images, any_size=any_size) for factor in (1.0, 2.0) for any_size in (True, False)}
    assert len(keys) == 4
    assert key(Scaled(1.0), images, any_size=True) in keys
    assert key(Scaled(lambda x: x), images, any_size=True) is None  # type: ignore[arg-type]


def test_a_graph_is_found_again_by_another_process(python: str) -> None:
    """Whose hashes of text are others: a forked process has those of its server."""
    program = """
import torch
from torch import nn
from imgai.predict.backends.export import key
torch.manual_seed(0)
network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU())
network.names = {"some", "names", "in", "a", "set"}
print(key(network, (torch.rand(1, 3, 16, 16),), any_size=True))
"""
    runs = [subprocess.run([each, "-c", program], capture_output=True, text=True) for each in (python, sys.executable)]
    keys = {run.stdout for run in runs}
    assert len(keys) == 1
    assert len(keys.pop()) == 65


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_an_export_names_the_extra_that_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    needs("onnx")
    registry = load_registry()
    spec = StepSpec(registry.task("segment"), registry.model("segment", "subject"))
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(PluginError, match=f"need {missing}") as caught:
        write(spec, tmp_path / "a.onnx")
    assert caught.value.hint == "pip install 'imgai[onnx]'"


def test_an_exported_model_runs_as_a_file(command: Command, cat: Path, tmp_path: Path) -> None:
    needs("onnx")
    path = tmp_path / "mine.onnx"
    answer = command("models", "export", "denoise/gaussian", path)
    assert answer.returncode == 0, answer.stderr
    ours = imgai.load("denoise", model="gaussian", machine=Machine(device="cpu", precision="fp32", backend="torch"))(
        cat
    ).image
    assert (imgai.load("denoise", model=str(path))(cat).image - ours).abs().max() <= 1.01 / 255
    answer = command("models", "export", "denoise/gaussian", path)
    assert (answer.returncode, "is there already" in answer.stderr) == (2, True)
    answer = command("models", "export", "enhance/auto", tmp_path / "other.onnx")
    assert answer.returncode == 3
    assert "looks at the whole picture first" in answer.stderr


class _Aims(nn.Module):
    """Finds a place in a picture, and looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 1, 3)
        self.aim = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        shift = self.aim(self.first(x).mean((2, 3)))
        line = torch.linspace(-0.5, 0.5, 8)
        columns, rows = line + shift[:, :1], line + shift[:, 1:]
        grid = torch.stack((columns[:, None] + 0 * rows[:, :, None], rows[:, :, None] + 0 * columns[:, None]), -1)
        return self.last(nn.functional.grid_sample(x, grid, align_corners=False)) * shift[:, :1, None, None]


def test_what_says_where_to_look_stays_in_float(tmp_path: Path) -> None:
    onnx_ = pytest.importorskip("onnx")
    (tmp_path / "a.onnx").write_bytes(export(_Aims().eval(), (torch.rand(1, 3, 16, 16),), any_size=False))
    kept = set(_deciding(tmp_path / "a.onnx", "mask"))
    nodes = onnx_.load(str(tmp_path / "a.onnx")).graph.node
    assert {node.op_type for node in nodes if node.name not in kept} <= {
        "Conv",
        "GridSample",
        "Shape",
        "Gather",
        "Cast",
    }
    assert {"Gemm", "Concat", "Add", "Mul", "ReduceMean"} <= {node.op_type for node in nodes if node.name in kept}
    assert not any(node.op_type == "Conv" for node in nodes if node.name in kept)


def test_eight_bits_say_what_they_lost(command: Command, cat: Path, tmp_path: Path) -> None:
    needs("onnx")
    (tmp_path / "mine").mkdir()
    values = np.asarray(Image.open(cat).resize((192, 160)))
    for index in range(6):
        Image.fromarray(np.roll(values, 30 * index, axis=1)).save(tmp_path / "mine" / f"{index}.png")
    path = tmp_path / "small.onnx"
    answer = command("models", "export", "denoise/gaussian", path, "--int8", "--calibrate", tmp_path / "mine")
    assert answer.returncode == 0, answer.stderr
    assert "on 3 other pictures" in answer.stderr
    assert "holds 6 pictures; 30 or more" in answer.stderr
    assert path.with_suffix(".toml").read_text().splitlines()[0].endswith("levels of 255 apart")
    ours = imgai.load("denoise", model="gaussian")(cat).image
    difference = (imgai.load("denoise", model=str(path))(cat).image - ours).abs()
    assert 0 < difference.mean() < 6 / 255
    answer = command("models", "export", "denoise/gaussian", tmp_path / "b.onnx", "--int8")
    assert (answer.returncode, "--calibrate" in answer.stderr) == (2, True)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_threads_each_get_their_own_answer(cache: Path, backend: str) -> None:
    """A run predicts from several threads with one graph."""
    needs(backend)
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 3, 3, padding=1)).eval()
    run = choose_backend(backend).prepare(
        Model(name="small", task="blur", summary="Blurs.", license="MIT", load="a:b"), network, CPU
    )
    run((torch.rand(1, 3, 64, 64),), torch.float32)

    def worst(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        apart = 0.0
        for _ in range(60):
            count, *size = torch.randint(1, 4, (3,), generator=generator).tolist()
            images = torch.rand(count, 3, *(64 * side for side in size), generator=generator)
            with torch.inference_mode():
                apart = max(apart, float((run((images,), torch.float32) - network(images)).abs().max()))
        return apart

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(worst, range(4))) < 1e-4


def test_the_first_tensor_of_openvino_is_read_by_one_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads that each read their first tensor at once wait for each other for ever."""
    openvino = pytest.importorskip("openvino")
    seen: list[bool] = []

    class Told(openvino.Tensor):  # type: ignore[misc, name-defined]
        @property
        def data(self) -> object:
            seen.append(onnx._FIRST.locked())
            return super().data

    monkeypatch.setattr(openvino, "Tensor", Told)
    onnx._compiled(export(nn.ReLU(), (torch.rand(1, 3, 8, 8),), any_size=True), torch.device("cpu"))
    assert seen
    assert all(seen)
