"""Determine how to call an ONNX graph, from its declaration and, if necessary, from its answers."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgai.errors import PluginError
from imgai.pages import see
from imgai.plugin import Model
from imgai.predict.foreign import probe
from imgai.predict.foreign.around import Call, Picture, Prepare
from imgai.predict.foreign.graph import Graph, OnnxNetwork, Port, told
from imgai.predict.foreign.heads import strides_of
from imgai.predict.foreign.notes import Notes

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_NANODET = ((103.53, 116.28, 123.675), (57.375, 57.12, 58.395))  # of blue, green and red
_LONGEST = 8192
"""The longest side of a graph of one size; what notes may ask for, too."""
_BINS = 8
"""Of the distribution over distances that NanoDet-Plus gives for each edge."""


def found(path: Path, kind: str, graph: Graph, notes: Notes) -> Call:
    """Look at the graph, and run it where that is not enough."""
    port, channels_last, gray, size = _input(path, graph)
    output = _output(path, kind, graph, notes)
    call = Call(
        input=port.name,
        output=output.name,
        type=port.type,
        channels_last=channels_last,
        single=port.shape[0] == 1,
        gray=gray,
        mean=notes.mean or (0.0,),
        std=notes.std or (1.0,),
        range=notes.range or (255.0 if port.type == "tensor(uint8)" else 1.0),
        bgr=bool(notes.bgr) and not gray,
        size=size or notes.size,
        fixed=size is not None,
        letterbox=bool(notes.letterbox),
        classes=0,
        last=notes.last or "none",
        head="",
        strides=(),
        decoded=False,
        scale=1,
        minimum=1,
        multiple_of=1,
        overlap=0,
    )
    if gray and kind != "image":
        raise PluginError(f"{path} takes one channel", "graphs of one channel are run where they give pictures")
    made = graph.produced[graph.outputs.index(output)]
    with told(path):
        if kind == "image":
            return _of_pictures(path, call, notes, port)
        if kind == "boxes":
            return _of_boxes(path, call, notes, output)
        return _of_classes(path, kind, call, notes, output, made)


def _of_pictures(path: Path, call: Call, notes: Notes, port: Port) -> Call:
    """Scale, range of values, sizes and overlap of a graph that gives pictures, by running it."""
    network = _network(path, call)
    height, width = call.size if call.fixed and call.size else (64, 64)
    image = probe.picture(height, width, 3)
    if notes.range is None and port.type != "tensor(uint8)":
        call = min(
            (dataclasses.replace(call, range=white) for white in (1.0, 255.0)),
            key=lambda each: _unlike(network, each, image),
        )
    answer = _raw(network, call, image)
    scale = answer.shape[-1] // width
    if answer.ndim != 4 or scale < 1 or tuple(answer.shape[-2:]) != (height * scale, width * scale):
        raise PluginError(
            f"{path} gives the shape {tuple(answer.shape)} for {height}x{width} pixels, which is no picture"
        )
    if answer.shape[1] != (1 if call.gray else 3):
        raise PluginError(f"{path} gives {answer.shape[1]} channels", "graphs that take and give 1 or 3 are run")
    call = dataclasses.replace(call, scale=int(scale))
    if call.fixed:
        return dataclasses.replace(call, overlap=min(height, width) // 4)
    multiple_of = next((step for step in (1, 2, 4, 8, 16, 32, 64) if _takes(network, call, 64 + step)), 64)
    minimum = next(
        side for side in (8, 16, 32, 64) if side == 64 or (side % multiple_of == 0 and _takes(network, call, side))
    )
    minimum = _up(minimum, multiple_of)
    whole = Picture(network, Prepare(call), call)
    overlap = probe.overlap(whole, call.scale, minimum, multiple_of, 3)
    return dataclasses.replace(call, minimum=minimum, multiple_of=multiple_of, overlap=overlap)


def _of_classes(path: Path, kind: str, call: Call, notes: Notes, output: Port, made: str) -> Call:
    """Masks, scores and maps: sizes, means and last steps as the families have them that people use.

    U2-Net, IS-Net, BiRefNet, MODNet and their kin for masks; ImageNet's for everything else.
    """
    size = call.size
    if size is None:
        size = {"mask": (512, 512), "scores": (224, 224), "map": (384, 384)}[kind]
    mean: tuple[float, ...] = _IMAGENET[0]
    std: tuple[float, ...] = _IMAGENET[1]
    last = "none" if made in ("Sigmoid", "Softmax", "Clip", "HardSigmoid") else ""
    classes = output.shape[1] if len(output.shape) > 1 and output.shape[1] is not None else 0
    if kind == "mask":
        probabilities = made in ("Sigmoid", "HardSigmoid")
        if len(output.shape) == 3:
            classes = 1
        if size == (1024, 1024) and probabilities:  # IS-Net
            mean, std = (mean if "anime" in path.stem.lower() else (0.5,)), (1.0,)
        elif not call.fixed and notes.size is None:  # MODNet
            mean, std = (0.5,), (0.5,)
        if size == (768, 768) and classes == 4:  # U2-Net for clothes: its first class is the background
            last = f"{last or 'softmax'}-background"
    if call.range == 255 and notes.range is None:  # a graph that takes 8 bits does the rest itself
        mean, std = (0.0,), (1.0,)
    call = dataclasses.replace(call, size=size, mean=notes.mean or mean, std=notes.std or std)
    if not classes:
        answer = _raw(_network(path, call), call, probe.picture(*size, 3))
        classes = int(answer.shape[1])
    if kind == "map":
        last, classes = last or "none", 0
    if not last:
        last = "sigmoid" if classes == 1 else "softmax"
    return dataclasses.replace(call, classes=classes, last=notes.last or last)


def _of_boxes(path: Path, call: Call, notes: Notes, output: Port) -> Call:
    """A detector: whether it speaks as YOLOX or as NanoDet does, by what it says of a picture."""
    size = call.size or (640, 640)
    call = dataclasses.replace(call, size=size, letterbox=notes.letterbox is not False, bgr=notes.bgr is not False)
    raw = _raw(_network(path, call), dataclasses.replace(call, range=255.0), probe.picture(*size, 3))
    if raw.ndim != 3 or (strides := strides_of(size, raw.shape[1])) is None:
        raise PluginError(
            f"{path} gives the shape {tuple(raw.shape)}, which is no grid of boxes for {size[1]}x{size[0]} pixels",
            "detectors that answer as YOLOX or NanoDet-Plus do are run, before non-maximum suppression",
        )
    bins = (raw.shape[2] - len(notes.labels)) // 4 if notes.labels and notes.head == "nanodet" else _BINS
    head = notes.head
    if head is None and raw.shape[2] > 5 and _shares(raw[..., 4:]):
        head = "yolox"
    if head is None and raw.shape[2] > 4 * bins and _shares(raw[..., : -4 * bins]):
        head = "nanodet"
    if head is None:
        words = f"say head and labels in {path.with_suffix('.toml').name}; {see('other-models')}"
        raise PluginError(f"{path} answers neither as YOLOX nor as NanoDet-Plus does", words)
    mean, std = _NANODET if head == "nanodet" else ((0.0,), (1.0,))
    far = bool((raw[..., 2:4] > 0).all()) and float(raw[..., :2].max()) > max(size) / 4
    return dataclasses.replace(
        call,
        head=head,
        range=notes.range or 255.0,
        mean=notes.mean or mean,
        std=notes.std or std,
        strides=strides,
        decoded=head == "yolox" and far,
        classes=int(raw.shape[2]) - (5 if head == "yolox" else 4 * bins),
    )


def _input(path: Path, graph: Graph) -> tuple[Port, bool, bool, tuple[int, int] | None]:
    """The input that takes the picture, whether channels come last, whether it is grey, its one size or None."""
    if len(graph.inputs) != 1:
        raise PluginError(f"{path} takes {len(graph.inputs)} inputs", "graphs that take one picture are run")
    (port,) = graph.inputs
    if len(port.shape) != 4 or port.type == "tensor(other)":
        raise PluginError(f"{path} takes {port.name} of the shape {port.shape}", "graphs that take a picture are run")
    last = port.shape[1] not in (1, 3) and port.shape[3] in (1, 3)
    channels = port.shape[3 if last else 1]
    if channels not in (1, 3, None):
        raise PluginError(f"{path} takes {channels} channels", "graphs that take 1 or 3 are run")
    height, width = port.shape[1:3] if last else port.shape[2:4]
    size = (height, width) if height is not None and width is not None else None
    if max(size or (0,)) > _LONGEST:
        raise PluginError(f"{path} takes pictures of {width}x{height} pixels", f"sides of up to {_LONGEST} are run")
    return port, last, channels == 1, size


def _output(path: Path, kind: str, graph: Graph, notes: Notes) -> Port:
    if notes.output is not None:
        if not 0 <= notes.output < len(graph.outputs):
            raise PluginError(f"{path} has {len(graph.outputs)} outputs, and no output {notes.output}")
        return graph.outputs[notes.output]
    ranks = {"image": (4,), "mask": (4, 3), "map": (4, 3), "scores": (2,), "boxes": (3,)}[kind]
    for port in graph.outputs:
        # Scores of networks that end in a convolution have two sides more, of one pixel.
        if len(port.shape) in ranks or (kind == "scores" and port.shape[2:] == (1, 1)):
            return port
    if len(graph.outputs) == 1 and not graph.outputs[0].shape:  # its shape is not declared
        return graph.outputs[0]
    shapes = ", ".join(str(port.shape) for port in graph.outputs)
    raise PluginError(f"{path} gives {shapes}, which is no {kind}", "say the output's number in a .toml beside it")


def labels_of(path: Path, kind: str, graph: Graph, notes: Notes, ours: Model, call: Call) -> tuple[str, ...] | None:
    """The names of the classes: noted, in the graph's own metadata, those of our model of as many, or numbers."""
    if not call.classes:
        return None
    count = call.classes - call.last.endswith("background")
    if notes.labels is not None:
        if len(notes.labels) != count:
            raise PluginError(f"{path} has {count} classes, and {len(notes.labels)} labels are beside it")
        return notes.labels
    if kind == "mask" and call.last.endswith("background"):
        return ("upper", "lower", "full")
    try:
        named = ast.literal_eval(graph.metadata.get("names", ""))
        names = tuple(str(named[index]) for index in range(len(named)))
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        names = ()
    if len(names) == count:
        return names
    if len(ours.labels or ()) == count:
        return ours.labels
    return tuple(f"class-{index}" for index in range(count))


def _network(path: Path, call: Call) -> OnnxNetwork:
    return OnnxNetwork(
        path,
        torch.device("cpu"),
        input_=call.input,
        output=call.output,
        type_=call.type,
        channels_last=call.channels_last,
        single=call.single,
    )


def _raw(network: nn.Module, call: Call, image: Tensor) -> Tensor:
    """Return the raw output of the graph for a picture."""
    seen = Prepare(call)(image)
    answer: Tensor = network(seen[:, :1] if call.gray else seen)
    return answer


def _unlike(network: nn.Module, call: Call, image: Tensor) -> float:
    """Return the difference between the graph's answer and the picture, for a range of values."""
    answer = _raw(network, call, image)
    if answer.ndim != 4:
        return 0.0
    seen = image[:, : answer.shape[1]]
    same = F.interpolate(seen, answer.shape[-2:], mode="bilinear") if answer.shape[1] == seen.shape[1] else seen.mean()
    return float((answer / call.range - same).abs().mean())


def _takes(network: nn.Module, call: Call, side: int) -> bool:
    """Whether the graph gives a picture of the right size for one of this side."""
    try:
        answer = _raw(network, call, probe.picture(side, side, 3))
    except Exception:
        return False
    return tuple(answer.shape[-2:]) == (side * call.scale, side * call.scale)


def _shares(values: Tensor) -> bool:
    """Whether all values are in [0, 1]."""
    return float(values.min()) >= -1e-3 and float(values.max()) <= 1 + 1e-3


def _up(size: int, multiple_of: int) -> int:
    return -(-size // multiple_of) * multiple_of
