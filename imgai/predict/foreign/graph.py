"""A graph of ONNX: looked at before it is run, opened, and called as a network is.

ONNX Runtime runs it, on providers that are chosen by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imgai.errors import PluginError

_LARGEST = 2 << 30  # bytes: what a graph in one file can have
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
_MOVES = {"Identity", "Cast", "Resize", "Upsample", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Slice", "Flatten"}
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph. shape: None for a side that may be any."""

    name: str
    shape: tuple[int | None, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The declaration of a graph. produced: the type of node that computes each output."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    produced: tuple[str, ...]
    parameters: int
    metadata: dict[str, str]


def graph_of(path: Path) -> Graph:
    """Look at a graph without running it.

    Raises PluginError, in one line, for a file that holds none, operators that are not ONNX's, numbers in other files,
    and values that are not finite.
    """
    onnx = library("onnx")
    if path.stat().st_size > _LARGEST:
        raise PluginError(f"{path} has more than 2 GB", "graphs of that size are not read")
    try:
        model = onnx.load(str(path), load_external_data=False)
        nodes, tensors = _parts(model)
    except Exception as error:
        raise PluginError(f"{path} is damaged or no graph of ONNX: {_short(error)}") from None
    if not model.graph.node or not model.graph.output:
        raise PluginError(f"{path} is damaged or no graph of ONNX: it has no nodes")
    own = {(function.domain, function.name) for function in model.functions}
    for node in nodes:
        if node.domain not in _DOMAINS and (node.domain, node.op_type) not in own:
            raise PluginError(f"{path} needs the operator {node.domain}.{node.op_type}, which is not ONNX's own")
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise PluginError(f"{path} keeps its numbers in other files", "save it as one file")
        _check_finite(path, tensor, onnx)
    names = {tensor.name for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    return Graph(
        inputs=tuple(_port(value, onnx) for value in model.graph.input if value.name not in names),
        outputs=tuple(_port(value, onnx) for value in model.graph.output),
        produced=tuple(_maker(value.name, makers) for value in model.graph.output),
        parameters=sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer),
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


class OnnxNetwork(nn.Module):
    """A graph as a network: images to one output, float32.

    channels_last: it takes ``(B, H, W, C)``. single: it takes one image at a time.
    """

    def __init__(
        self,
        path: Path,
        device: torch.device,
        *,
        input_: str,
        output: str,
        type_: str = "tensor(float)",
        channels_last: bool = False,
        single: bool = False,
    ) -> None:
        super().__init__()
        self.path = path
        self._session = session(path, device)
        self._input, self._output = input_, output
        self._type = _TYPES[type_]
        self._channels_last = channels_last
        self._single = single

    def run_by(self, session: Any) -> None:
        """Have something else run the graph: what has the method ``run`` of a session of ONNX Runtime."""
        self._session = session

    def forward(self, images: Tensor) -> Tensor:
        batch = images.permute(0, 2, 3, 1) if self._channels_last else images
        values = batch.contiguous().cpu().numpy()
        values = values.round().clip(0, 255).astype(np.uint8) if self._type is np.uint8 else values.astype(self._type)
        parts = [values[index : index + 1] for index in range(len(values))] if self._single else [values]
        answers = [self._session.run([self._output], {self._input: part})[0] for part in parts]
        answer = torch.from_numpy(np.concatenate(answers) if len(answers) > 1 else np.array(answers[0]))
        answer = answer.to(images.device, torch.float32)
        return answer.permute(0, 3, 1, 2) if self._channels_last and answer.ndim == 4 else answer


def runtime_version() -> str:
    """The version of ONNX Runtime."""
    return str(library("onnxruntime").__version__)


def session(graph: Path | bytes, device: torch.device) -> Any:
    """A graph, opened on a device. Raises PluginError, in one line, if it cannot be."""
    runtime = library("onnxruntime")
    provider = _PROVIDERS.get(device.type)
    if provider not in runtime.get_available_providers():
        raise PluginError(
            f"the onnxruntime that is installed does not run on {device}", "use --device cpu, or install another"
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # see docs/design.md: threads that sleep
    index = {"device_id": device.index or 0} if device.type == "cuda" else {}
    try:
        content = graph if isinstance(graph, bytes) else str(graph)
        return runtime.InferenceSession(content, options, providers=[(provider, index)])
    except Exception as error:
        name = "the exported network" if isinstance(graph, bytes) else graph
        raise PluginError(f"{name} cannot be opened by ONNX Runtime: {_short(error)}") from None


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Convert errors of ONNX Runtime during a trial to a PluginError of one line."""
    try:
        yield
    except (PluginError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise PluginError(f"{path} does not run: {_short(error)}") from None


def _parts(model: Any) -> tuple[list[Any], list[Any]]:
    """Every node and every tensor, those of functions and of graphs within nodes too."""
    pending: list[Any] = [model.graph, *model.functions]
    nodes: list[Any] = []
    tensors: list[Any] = []
    sparse: list[Any] = []
    while pending:
        part = pending.pop()
        tensors += getattr(part, "initializer", ())
        sparse += getattr(part, "sparse_initializer", ())
        for node in part.node:
            nodes.append(node)
            for attribute in node.attribute:
                pending += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
                tensors += [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
                sparse += [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
                sparse += attribute.sparse_tensors
    return nodes, tensors + [each for tensor in sparse for each in (tensor.values, tensor.indices)]


def _maker(name: str, makers: dict[str, Any]) -> str:
    """The kind of node that makes a value, past those that only move values about."""
    node = makers.get(name)
    for _ in range(20):
        if node is None or node.op_type not in _MOVES or not node.input:
            break
        node = makers.get(node.input[0])
    return "" if node is None else str(node.op_type)


def _port(value: Any, onnx: Any) -> Port:
    kind = value.type.tensor_type
    # Some exporters write -1 or 0 for a side that may be any.
    shape = tuple(side.dim_value if side.dim_value > 0 else None for side in kind.shape.dim)
    name = {onnx.TensorProto.FLOAT: "float", onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.UINT8: "uint8"}
    return Port(value.name, shape, f"tensor({name.get(kind.elem_type, 'other')})")


def _check_finite(path: Path, tensor: Any, onnx: Any) -> None:
    if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE):
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        held = max(
            len(tensor.raw_data), 8 * (len(tensor.float_data) + len(tensor.double_data) + len(tensor.int32_data))
        )
        count = int(np.prod([int(side) for side in tensor.dims], dtype=object))  # 1 of a scalar, 0 of an empty tensor
        if count < 0 or count * kind.itemsize > held:
            raise PluginError(f"{path} is damaged: {tensor.name} claims more numbers than the file holds")
        # The largest values of a graph that was cut are infinite on purpose (a clip without a bound, a mask).
        if bool(np.isnan(onnx.numpy_helper.to_array(tensor)).any()):
            raise PluginError(f"{path} holds values that are not finite in {tensor.name}", "its training has failed")


def library(name: str) -> Any:
    """Import onnx or onnxruntime. Raises PluginError, with how to get it, if it is not there."""
    try:
        return __import__(name)
    except ImportError as error:
        raise PluginError(f"graphs of ONNX need {name}: {error}", "pip install 'imgai[onnx]'") from error


def _short(error: BaseException) -> str:
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    text = text.rpartition(" : ")[2] or text
    return text if len(text) <= 160 else f"{text[:157]}..."
