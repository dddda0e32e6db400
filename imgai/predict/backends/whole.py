"""A whole model, with what stands before and after its network, as a graph of ONNX in a file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from imgai.errors import PluginError
from imgai.outputs import output_of
from imgai.plugin import Predictor
from imgai.predict.backends.export import check, export, flat
from imgai.predict.foreign.graph import library, session
from imgai.predict.load import load_predictor
from imgai.predict.spec import StepSpec

CPU = torch.device("cpu")


class Whole(nn.Module):
    """Pictures ``(B, 3, H, W)`` in [0, 1] to what the model returns, without auxiliary channels; 4 with a mask."""

    def __init__(self, predictor: Predictor, channels: int | None) -> None:
        super().__init__()
        self.preprocess, self.network, self.postprocess = predictor.preprocess, predictor.network, predictor.postprocess
        self._channels = channels

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.postprocess(self.network(self.preprocess(images)))
        return answer if self._channels is None else answer[:, : self._channels]


def write(spec: StepSpec, path: Path) -> Whole:
    """Export the spec's model to a file, and write what the graph does not say beside it. Returns the model.

    The graph was compared with the model at several sizes, within 1e-4.
    Raises PluginError for a model that cannot be a graph.
    """
    for name in ("onnx", "onnxruntime"):
        library(name)  # torch says that it is missing, but not how to get it
    model = spec.model
    predictor = load_predictor(spec, model, CPU)
    if predictor.survey is not None:
        raise PluginError(f"{model.name} looks at the whole picture first", "such models cannot be one graph")
    if not output_of(spec.task.output).dense and spec.task.output.value != "scores":
        raise PluginError(
            f"{model.name} returns {spec.task.output.value}", "models of pictures, masks and scores are exported"
        )
    if not isinstance(predictor.network, nn.Module):
        raise PluginError(f"{model.name} has no network with these options", "there is nothing to export")
    whole = Whole(predictor, len(model.labels) if model.auxiliary and model.labels else None).eval()
    any_size = model.input_size is None
    size = model.input_size or (_side(model.minimum, model.multiple_of),) * 2
    images = torch.rand((1, 3 + len(spec.task.inputs), *size), generator=torch.Generator().manual_seed(0))
    graph = export(whole, (images,), any_size=any_size)
    opened = session(graph, CPU)

    def run(inputs: tuple[Tensor, ...]) -> Tensor:
        return torch.from_numpy(opened.run(None, {"input": inputs[0].numpy()})[0])

    check(whole, run, (images,), model.multiple_of if any_size else 0)
    path.write_bytes(graph)
    path.with_suffix(".toml").write_text(notes(spec), encoding="utf-8")
    return whole


def notes(spec: StepSpec, about: str = "") -> str:
    """The notes that let ``--model PATH.onnx`` run the graph as the model is run. about: a line of comment."""
    import json

    model = spec.model
    license_ = model.weights.license if model.weights else model.license
    lines = [f"# {spec.task.name}/{model.name} of imgai" + (f"; {about}" if about else "")]
    lines += ["mean = 0.0", "std = 1.0", "range = 1", "bgr = false", 'last = "none"']
    if model.labels and spec.task.output.value != "image":
        lines.append(f"labels = {json.dumps(list(model.labels), ensure_ascii=False)}")
    if model.crop is not None:
        lines.append(f"crop = {model.crop!r}")
    lines.append(f"letterbox = {str(model.fit == 'letterbox').lower()}")
    lines.append(f"license = {json.dumps(license_)}")
    return "\n".join(lines) + "\n"


def apart(one: Tensor, other: Tensor, kind: str) -> float:
    """How much of its quality a model has lost: the share of labels or of the mask that changed, or levels of 255.

    Shape: two batches of what the model returns. kind: the output.
    """
    one, other = flat(one)[0], flat(other)[0]
    if kind == "scores":
        return float((one.argmax(1) != other.argmax(1)).float().mean())
    if kind == "mask":
        inside, theirs = one >= 0.5, other >= 0.5
        union = (inside | theirs).sum()
        return 1 - float((inside & theirs).sum() / union) if union else 0.0
    return 255 * float((one - other).abs().mean())


def _side(minimum: int, multiple_of: int) -> int:
    return -(-max(64, minimum) // multiple_of) * multiple_of
