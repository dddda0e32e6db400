"""``--model PATH.onnx``: graphs of every task, called as they have to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import imgai
from imgai.errors import PluginError, UsageError
from tests.models.conftest import as_image

IMAGENET = (torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))


class Does(nn.Module):
    """A network of one line."""

    def __init__(self, function: Callable[[Tensor], Any], *constants: Tensor) -> None:
        super().__init__()
        self.function = function
        for index, value in enumerate(constants):
            self.register_buffer(f"constant{index}", value)

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def export(path: Path, function: Callable[[Tensor], Any], shape: Sequence[int], *, dynamic: bool = False) -> Path:
    """Write a function of an image as a graph."""
    axes = {"input": {0: "n", 2: "h", 3: "w"}} if dynamic else None
    with torch.inference_mode(False):
        arguments = {"input_names": ["input"], "dynamic_axes": axes, "dynamo": False, "opset_version": 17}
        torch.onnx.export(Does(function).eval(), (torch.rand(tuple(shape)),), str(path), **arguments)  # type: ignore[arg-type]
    return path


FILTER = torch.randn((12, 3, 3, 3), generator=torch.Generator().manual_seed(1)) * 0.1


def larger(x: Tensor) -> Tensor:
    """Twice as large, with a filter's taste."""
    return F.interpolate(x, scale_factor=2.0) + F.pixel_shuffle(F.conv2d(x, FILTER, padding=1), 2) * 0.3


def made(path: Path, picture: Path, task: str = "super-resolve", **options: Any) -> Tensor:
    return imgai.load(task, model=str(path), **options)(picture).image


def test_a_graph_of_any_size_gives_what_torch_gives(tmp_path: Path, cat: Path) -> None:
    path = export(tmp_path / "x2.onnx", larger, (1, 3, 64, 64), dynamic=True)
    expected = larger(as_image(cat)).clamp(0, 1)[0]
    assert (made(path, cat) - expected).abs().max() < 1 / 255
    tiled = made(path, cat, machine=imgai.Machine(tile=32, batch=3))
    assert (tiled - expected).abs().max() < 1.5 / 255


def test_openvino_runs_a_graph_too(tmp_path: Path, cat: Path) -> None:
    pytest.importorskip("openvino")
    path = export(tmp_path / "x2.onnx", larger, (1, 3, 64, 64), dynamic=True)
    ours = made(path, cat, machine=imgai.Machine(device="cpu", backend="openvino"))
    assert (ours - larger(as_image(cat)).clamp(0, 1)[0]).abs().max() < 1 / 255


def test_sizes_that_a_graph_needs_are_found(tmp_path: Path, cat: Path) -> None:
    def halves(x: Tensor) -> Tensor:
        return F.pixel_shuffle(F.pixel_unshuffle(x, 8), 8) * 0.9 + 0.05

    path = export(tmp_path / "denoise.onnx", halves, (1, 3, 64, 64), dynamic=True)
    odd = cat.with_name("odd.png")
    Image.open(cat).crop((0, 0, 37, 21)).save(odd)
    assert (made(path, odd, "denoise") - (as_image(odd)[0] * 0.9 + 0.05)).abs().max() < 1 / 255
    half = made(path, odd, "denoise", strength=0.5)
    assert (half - (as_image(odd)[0] * 0.95 + 0.025)).abs().max() < 1 / 255


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_a_graph_of_one_size_is_tiled(tmp_path: Path, cat: Path, size: tuple[int, int]) -> None:
    path = export(tmp_path / "fixed.onnx", larger, (1, 3, *size))
    difference = (made(path, cat) - larger(as_image(cat)).clamp(0, 1)[0]).abs()
    assert difference[:, :-2, :-2].max() < 1.5 / 255, "but where it sees what fills its size up"


def test_values_to_255_and_channels_last_are_found(tmp_path: Path, cat: Path) -> None:
    def of_bytes(x: Tensor) -> Tensor:
        return (larger(x.permute(0, 3, 1, 2) / 255) * 255 + 3).permute(0, 2, 3, 1)

    path = export(tmp_path / "bytes.onnx", of_bytes, (1, 40, 48, 3))
    expected = (larger(as_image(cat)) + 3 / 255).clamp(0, 1)[0]
    assert (made(path, cat) - expected).abs()[:, :-2, :-2].max() < 1.5 / 255


def test_a_graph_of_the_wrong_task_is_refused(tmp_path: Path) -> None:
    path = export(tmp_path / "x2.onnx", larger, (1, 3, 64, 64), dynamic=True)
    with pytest.raises(PluginError, match="enlarges 2 times; denoise needs a model that keeps it"):
        imgai.load("denoise", model=str(path))
    with pytest.raises(PluginError, match="which is no scores"):
        imgai.load("classify", model=str(path))


def bright(x: Tensor) -> Tensor:
    """A mask of what is bright, of a picture in [0, 1]. Shape: ``(B, 1, H, W)`` logits"""
    return (x.mean(1, keepdim=True) - 0.5) * 20


def normalized(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return x * std + mean


@pytest.mark.parametrize("family", ["u2net", "isnet", "birefnet", "modnet"])
def test_masks_of_families_that_people_use(tmp_path: Path, family: str) -> None:
    """Each takes its own normalisation and has its own last step; undone in the graph, the mask is the same."""
    mean, std = IMAGENET if family in ("u2net", "birefnet") else (torch.tensor(0.5), torch.tensor(0.5))
    if family == "isnet":
        std = torch.tensor(1.0)
    side = {"u2net": 320, "isnet": 1024, "birefnet": 1024, "modnet": 512}[family]

    def network(x: Tensor) -> Any:
        logits = bright(normalized(x, mean, std))
        if family == "birefnet":
            return logits
        mask = logits.sigmoid()
        return mask if family == "modnet" else (mask, mask * 0.5, mask * 0.25)

    path = export(tmp_path / f"{family}.onnx", network, (1, 3, side, side), dynamic=family == "modnet")
    values = np.zeros((60, 80, 3), np.uint8)
    values[20:40, 20:60] = 255
    Image.fromarray(values).save(tmp_path / "square.png")
    chain = imgai.load("segment", model=str(path))
    mask = chain(tmp_path / "square.png").masks["subject"]
    assert mask[25:35, 25:55].min() > 0.9
    assert mask[:10].max() < 0.1
    # What has no subject stays empty: it is not stretched to full contrast.
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8) + np.arange(80, dtype=np.uint8)[None, :, None] // 20).save(
        tmp_path / "empty.png"
    )
    assert chain(tmp_path / "empty.png").masks["subject"].max() < 0.2


def detector(path: Path, raw: Tensor, side: int) -> Path:
    """A graph that answers the same for every picture."""

    def network(x: Tensor) -> Tensor:
        return raw + x.mean() * 0

    return export(path, network, (1, 3, side, side))


def cells(side: int, strides: Sequence[int]) -> list[tuple[int, int, int]]:
    return [(x, y, stride) for stride in strides for y in range(side // stride) for x in range(side // stride)]


@pytest.mark.parametrize("decoded", [False, True])
def test_yolox_is_boxes(tmp_path: Path, decoded: bool) -> None:
    side, grid = 96, cells(96, (8, 16, 32))
    raw = torch.zeros(1, len(grid), 5 + 80)
    raw[..., 2:4] = -1.0 if not decoded else 4.0
    for index, (x, y, stride) in enumerate(grid):
        if decoded:
            raw[0, index, :2] = torch.tensor([(x + 0.5) * stride, (y + 0.5) * stride])
        if (x, y, stride) == (2, 1, 16):  # its middle is at 40, 24 of 96; 32 wide and 16 high
            size = torch.tensor([32.0, 16.0])
            raw[0, index, :2] = torch.tensor([40.0, 24.0]) if decoded else torch.tensor([0.5, 0.5])
            raw[0, index, 2:4] = size if decoded else (size / stride).log()
            raw[0, index, 4], raw[0, index, 5 + 15] = 0.9, 1.0
    path = detector(tmp_path / "yolox.onnx", raw, side)
    picture = tmp_path / "wide.png"
    Image.new("RGB", (192, 96), (90, 120, 30)).save(picture)  # half as high as wide: bars above and below
    (box,) = imgai.load("detect", model=str(path))(picture).boxes
    assert box.label == "cat"
    assert box.score == pytest.approx(0.9)
    assert box[2:] == pytest.approx((48, -8 + 0, 112, 16), abs=9)
    assert (box.x0, box.x1, box.y1) == pytest.approx((48, 112, 16), abs=0.5)
    assert imgai.load("detect", model=str(path), classes=("dog",))(picture).boxes == ()
    with pytest.raises(UsageError, match="has no class 'unicorn'"):
        imgai.load("detect", model=str(path), classes=("unicorn",))(picture)


def test_nanodet_is_boxes(tmp_path: Path) -> None:
    side, grid = 96, cells(96, (8, 16, 32))
    assert 96 % 64, "its coarsest grid rounds up"
    grid += [(x, y, 64) for y in range(2) for x in range(2)]
    raw = torch.zeros(1, len(grid), 80 + 32)
    raw[..., 80:] = -3.0
    index = grid.index((3, 3, 16))  # at 48, 48
    raw[0, index, 0] = 0.8
    raw[0, index, 80:].view(4, 8)[:, 1] = 30.0  # a stride to every side
    path = detector(tmp_path / "nanodet.onnx", raw, side)
    Image.new("RGB", (96, 96), (90, 120, 30)).save(tmp_path / "square.png")
    (box,) = imgai.load("detect", model=str(path))(tmp_path / "square.png").boxes
    assert box.label == "person"
    assert box[2:] == pytest.approx((32, 32, 64, 64), abs=0.1)


def test_scores_get_labels_and_notes_count_more(tmp_path: Path, cat: Path) -> None:
    mean, std = IMAGENET

    def network(x: Tensor) -> Tensor:
        red = normalized(x, mean, std).mean((2, 3))
        return torch.cat((red[:, :1], red[:, 1:2], red[:, 2:]), 1) * 10

    path = export(tmp_path / "colour.onnx", network, (1, 3, 32, 32))
    Image.new("RGB", (50, 40), (20, 200, 20)).save(tmp_path / "green.png")
    assert next(iter(imgai.load("classify", model=str(path))(tmp_path / "green.png").scores)) == "class-1"
    (tmp_path / "colour.toml").write_text('labels = ["red", "green", "blue"]\nlicense = "CC0-1.0"\n')
    scores = imgai.load("classify", model=str(path))(tmp_path / "green.png").scores
    assert next(iter(scores)) == "green"
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
    (tmp_path / "colour.toml").write_text('labels = ["red", "green"]\n')
    with pytest.raises(PluginError, match="has 3 classes, and 2 labels are beside it"):
        imgai.load("classify", model=str(path))
    (tmp_path / "colour.toml").write_text("means = 0.5\n")
    with pytest.raises(PluginError, match="there is no 'means'; did you mean 'mean'"):
        imgai.load("classify", model=str(path))


@pytest.mark.parametrize("name", ["squeezenet", "resnet50", "densenet121"])
def test_graphs_of_old_exporters_run(cat: Path, name: str) -> None:
    """Graphs that come with onnx, of IR version 3: weights are inputs too, and scores may be pictures of one pixel."""
    path = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"
    scores = imgai.load("classify", model=str(path))(cat).scores
    assert len(scores) == 1000
    assert sum(scores.values()) == pytest.approx(1, abs=1e-3)
    assert "tench" in scores


def test_sides_of_any_length_are_told_in_several_ways(tmp_path: Path, cat: Path) -> None:
    """Paddle's exporter writes -1, and keeps tensors of no numbers."""
    model = onnx.load(str(export(tmp_path / "x2.onnx", larger, (1, 3, 64, 64), dynamic=True)))
    for value in (model.graph.input[0], model.graph.output[0]):
        for side in value.type.tensor_type.shape.dim[::2]:
            side.dim_value = -1
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(0, np.float32), "nothing"))
    onnx.save(model, str(tmp_path / "any.onnx"))
    expected = larger(as_image(cat)).clamp(0, 1)[0]
    assert (made(tmp_path / "any.onnx", cat) - expected).abs().max() < 1 / 255


def test_no_provider_but_the_asked_for_is_used(tmp_path: Path) -> None:
    from imgai.predict.foreign.graph import session

    path = export(tmp_path / "x2.onnx", larger, (1, 3, 64, 64), dynamic=True)
    assert session(path, torch.device("cpu")).get_providers() == ["CPUExecutionProvider"]
    with pytest.raises(PluginError, match="does not run on cuda"):
        session(path, torch.device("cuda", 0))


def whole(folder: Path) -> onnx.ModelProto:
    return onnx.load(str(export(folder / "whole.onnx", larger, (1, 3, 64, 64), dynamic=True)))


def text(model: onnx.ModelProto, path: Path) -> None:
    path.write_text("I am no graph.\n" * 30)


def empty(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(b"")


def cut(model: onnx.ModelProto, path: Path) -> None:
    content = model.SerializeToString()
    path.write_bytes(content[: len(content) // 2])


def custom(model: onnx.ModelProto, path: Path) -> None:
    model.graph.node[0].domain = "my.company"
    onnx.save(model, str(path))


def hidden_custom(model: onnx.ModelProto, path: Path) -> None:
    """In a branch, where only running would find it."""
    inner = helper.make_graph(
        [helper.make_node("Steal", [], ["y"], domain="evil")],
        "branch",
        [],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    model.graph.node.append(helper.make_node("If", ["input"], ["z"], then_branch=inner, else_branch=inner))
    onnx.save(model, str(path))


def elsewhere(model: onnx.ModelProto, path: Path) -> None:
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "/etc/passwd"), ("offset", "0"), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())


def hidden_elsewhere(model: onnx.ModelProto, path: Path) -> None:
    """In a function of the graph's own."""
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("mine", "Fetch", [], ["y"], [node], opsets))
    model.graph.node.append(helper.make_node("Fetch", [], ["z"], domain="mine"))
    path.write_bytes(model.SerializeToString())


def not_finite(model: onnx.ModelProto, path: Path) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, np.nan], np.float32), "broken"))
    onnx.save(model, str(path))


def lies(model: onnx.ModelProto, path: Path) -> None:
    tensor = TensorProto(name="huge", data_type=TensorProto.FLOAT, dims=[1 << 40], raw_data=b"\0" * 16)
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())


def unknown(model: onnx.ModelProto, path: Path) -> None:
    model.graph.node[0].op_type = "Telepathy"
    path.write_bytes(model.SerializeToString())


def two_inputs(model: onnx.ModelProto, path: Path) -> None:
    model.graph.input.append(helper.make_tensor_value_info("second", TensorProto.FLOAT, [1, 3, 64, 64]))
    onnx.save(model, str(path))


def too_large(model: onnx.ModelProto, path: Path) -> None:
    for side in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        side.dim_value = 60_000
    path.write_bytes(model.SerializeToString())


BAD: list[tuple[Callable[[onnx.ModelProto, Path], None], str]] = [
    (too_large, "takes pictures of 60000x60000 pixels"),
    (text, "is damaged or no graph of ONNX"),
    (empty, "is empty"),
    (cut, "is damaged or no graph of ONNX"),
    (custom, "needs the operator my.company."),
    (hidden_custom, "needs the operator evil.Steal"),
    (elsewhere, "keeps its numbers in other files"),
    (hidden_elsewhere, "keeps its numbers in other files"),
    (not_finite, "holds values that are not finite in broken"),
    (lies, "claims more numbers than the file holds"),
    (unknown, "Telepathy"),
    (two_inputs, "takes 2 inputs"),
]


@pytest.mark.parametrize(("spoil", "words"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_a_bad_graph_is_one_line(
    tmp_path: Path, spoil: Callable[[onnx.ModelProto, Path], None], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.onnx"
    spoil(whole(tmp_path), path)
    capfd.readouterr()
    with pytest.raises(PluginError) as refused:
        imgai.load("super-resolve", model=str(path))
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 500
    assert refused.value.exit_code == 3
    assert capfd.readouterr().err == "", "the library says nothing of its own"
