"""Files that hold no model, or mean harm: one clear line, the exit code 3, nothing run, and memory that is bounded."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import imgai
from imgai.errors import PluginError
from tests.models.conftest import Command, compact, write_ncnn


class Evil:
    """A pickle that would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def text(path: Path) -> None:
    path.write_text("I am no model.\n" * 20)


def page(path: Path) -> None:
    """What a browser saves when a link needs a login."""
    path.write_text("<!DOCTYPE html><html><body>404</body></html>")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    torch.save(compact(width=64), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def truncated_old(path: Path) -> None:
    torch.save(compact(width=64), path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def evil(path: Path) -> None:
    torch.save({"state_dict": compact(), "harm": Evil(path.with_name("harmed"))}, path)


def evil_bare(path: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(path.with_name("harmed"))))


def whole_module(path: Path) -> None:
    torch.save(torch.nn.Conv2d(3, 3, 3), path)


def not_finite(path: Path) -> None:
    state = compact()
    state["body.2.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, path)


def other_architecture(path: Path) -> None:
    torch.save({"encoder.weight": torch.zeros(4, 4), "decoder.weight": torch.zeros(4, 4)}, path)


def wrong_shapes(path: Path) -> None:
    state = compact()
    state["body.2.weight"] = torch.zeros(5, 7, 3, 3)
    torch.save(state, path)


def no_tensors(path: Path) -> None:
    torch.save({"epoch": 5, "loss": [1.0, 2.0]}, path)


def script(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("model/data.pkl", "model/constants.pkl", "model/code/__torch__.py"):
            archive.writestr(name, b"...")


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("model/data/0", "w") as member:
        for _ in range(256):
            member.write(b"\0" * (1 << 20))


def huge_tensor(path: Path) -> None:
    """A number that claims to be a terabyte of them."""
    torch.save({"body.0.weight": torch.zeros(1).expand(1 << 38)}, path)


def huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 1 << 63) + b"{" + b" " * 100)


def header_of_lies(path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 64)


def cut_tensors(path: Path) -> None:
    save_file(compact(width=64), path)
    content = path.read_bytes()
    path.write_bytes(content[:-1000])


def graph_alone(path: Path) -> None:
    write_ncnn(path.parent, path.stem, compact(), 2).with_suffix(".bin").unlink()


def short_numbers(path: Path) -> None:
    numbers = write_ncnn(path.parent, path.stem, compact(), 2).with_suffix(".bin")
    numbers.write_bytes(numbers.read_bytes()[:-300])


def other_graph(path: Path) -> None:
    path.write_text("7767517\n2 2\nInput a 0 1 data\nLSTM b 1 1 data out 0=4\n")
    path.with_suffix(".bin").write_bytes(b"")


def huge_layer(path: Path) -> None:
    path.write_text("7767517\n2 2\nInput a 0 1 data\nConvolution b 1 1 data out 0=9 1=3 5=1 6=99999999999999\n")
    path.with_suffix(".bin").write_bytes(b"\0" * 64)


def complex_numbers(path: Path) -> None:
    torch.save({name: value.to(torch.complex64) for name, value in compact().items()}, path)


def whole_numbers(path: Path) -> None:
    """Rounded, the weights would run and give nonsense."""
    torch.save({name: value.int() for name, value in compact().items()}, path)


def no_numbers(path: Path) -> None:
    torch.save({name: value.to("meta") for name, value in compact().items()}, path)


def unknown_operation(path: Path) -> None:
    """A pickle that holds itself again and again."""
    content = b"\x80\x02(lq\x00" + b"".join(b"(lq%ch%cah%ca" % (n, n - 1, n - 1) for n in range(1, 40)) + b"."
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in (("data.pkl", content), ("version", b"3\n"), ("byteorder", b"little")):
            archive.writestr(f"m/{name}", member)


def overlapping(path: Path) -> None:
    entry = {"dtype": "F32", "shape": [4]}
    header = json.dumps({"a": {**entry, "data_offsets": [0, 16]}, "b": {**entry, "data_offsets": [8, 24]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 24)


def header_out_of_place(path: Path) -> None:
    declared = {"schema": 1, "task": "super-resolve", "name": "../../x", "base": {"plugin": "a file"}}
    save_file(compact(), path, {"imgai": json.dumps(declared)})


def lying_header(path: Path) -> None:
    declared = {"schema": 1, "task": "super-resolve", "name": "x", "base": {"plugin": "a file"}, "model": {"tile": -5}}
    save_file(compact(), path, {"imgai": json.dumps(declared)})


def no_layers(path: Path) -> None:
    path.write_bytes(b"7767517\n\0\0\0")
    path.with_suffix(".bin").write_bytes(b"x")


def negative_layer(path: Path) -> None:
    path.write_text("7767517\n2 2\nInput a 0 1 data\nConvolution b 1 1 data out 0=-9 1=3 5=1 6=81\n")
    path.with_suffix(".bin").write_bytes(b"\0" * 4000)


def not_quite_ffdnet(path: Path) -> None:
    shapes: dict[str, tuple[int, ...]] = {"0.weight": (8, 13, 3, 3), "0.bias": (), "2.weight": (8,), "2.bias": (8,)}
    shapes |= {"4.weight": (), "4.bias": (12,)}
    torch.save({f"model.{name}": torch.zeros(shape) for name, shape in shapes.items()}, path)


BAD: list[tuple[str, Callable[[Path], None], str]] = [
    ("complex.pth", complex_numbers, "as no plain tensor of real numbers"),
    ("whole.pth", whole_numbers, "holds whole numbers alone"),
    ("meta.pth", no_numbers, "as no plain tensor of real numbers"),
    ("operation.pth", unknown_operation, "an instruction that no file of weights needs"),
    ("overlapping.safetensors", overlapping, "is damaged or no file of a model"),
    ("place.safetensors", header_out_of_place, "names a model that cannot be"),
    ("lying.safetensors", lying_header, "says of the model cannot be"),
    ("none.param", no_layers, "is damaged: its layer 1 cannot be read"),
    ("negative.param", negative_layer, "is damaged: its layer 2 cannot be read"),
    ("ffdnet.pth", not_quite_ffdnet, "holds no known architecture"),
    ("text.pth", text, "is no file of a model"),
    ("page.safetensors", page, "is no file of weights"),
    ("empty.pth", empty, "is empty"),
    ("truncated.pth", truncated, "is damaged or no file of a model"),
    ("truncated-old.pth", truncated_old, "is damaged or no file of a model"),
    ("evil.pth", evil, "would run code of its own"),
    ("evil.ckpt", evil_bare, "would run code of its own"),
    ("module.pt", whole_module, "would run code of its own"),
    ("nan.pth", not_finite, "holds values that are not finite in body.2.weight"),
    ("other.pth", other_architecture, "holds no known architecture: none of its keys"),
    ("shapes.pth", wrong_shapes, "cannot be built: the nearest known is RealESRGAN Compact"),
    ("log.pth", no_tensors, "holds no tensors by name"),
    ("script.pt", script, "is a TorchScript program"),
    ("bomb.pth", bomb, "unpacks to far more than its size"),
    ("huge.pth", huge_tensor, "claims more numbers than the file holds"),
    ("header.safetensors", huge_header, "is no file of weights"),
    ("lies.safetensors", header_of_lies, "is damaged"),
    ("cut.safetensors", cut_tensors, "is damaged"),
    ("alone.param", graph_alone, "needs alone.bin beside it"),
    ("short.param", short_numbers, "is damaged"),
    ("lstm.param", other_graph, "which is neither RRDBNet nor SRVGGNetCompact"),
    ("layer.param", huge_layer, "is damaged"),
]


@pytest.mark.parametrize(("name", "make", "words"), BAD, ids=[name for name, _, _ in BAD])
def test_a_bad_file_is_one_line(tmp_path: Path, name: str, make: Callable[[Path], None], words: str) -> None:
    path = tmp_path / name
    make(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PluginError) as refused:
        imgai.load("super-resolve", model=str(path))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert words in str(refused.value)
    assert str(path) in str(refused.value) or path.with_suffix(".bin").name in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 500
    assert refused.value.exit_code == 3
    assert not (tmp_path / "harmed").exists(), "nothing in a file is run"
    assert grown < (400 << 10), f"{grown >> 10} MiB"


def test_the_command_says_it_and_ends_with_three(tmp_path: Path, cat: Path, command: Command) -> None:
    evil(tmp_path / "evil.pth")
    answer = command("super-resolve", cat, "--model", tmp_path / "evil.pth", "-o", tmp_path / "out")
    assert answer.returncode == 3
    assert answer.stderr.count("\n") == 1
    assert "would run code of its own" in answer.stderr
    assert not (tmp_path / "harmed").exists()
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_is_a_mistake_in_the_command(tmp_path: Path, cat: Path) -> None:
    with pytest.raises(imgai.UsageError, match="there is no such file"):
        imgai.load("super-resolve", model=str(tmp_path / "none.pth"))


def test_a_cache_that_is_damaged_is_made_again(tmp_path: Path, cat: Path, cache: Path) -> None:
    path = tmp_path / "x2.pth"
    torch.save(compact(), path)
    first = imgai.load("super-resolve", model=str(path))(cat).image
    (kept,) = (cache / "models").iterdir()
    kept.write_text('{"version": 2, "scale": "many"}')
    os.utime(path, (1, 1))  # it is looked at again
    assert torch.equal(imgai.load("super-resolve", model=str(path))(cat).image, first)
    assert json.loads(kept.read_text())["scale"] == 2


def test_the_evil_pickle_is_evil(tmp_path: Path) -> None:
    """The test above could pass for a wrong reason."""
    content = io.BytesIO(pickle.dumps(Evil(tmp_path / "harmed")))
    pickle.load(content)
    assert (tmp_path / "harmed").exists()
