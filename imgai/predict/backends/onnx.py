"""ONNX Runtime and OpenVINO. Networks are exported at the first call, and cached."""

from __future__ import annotations

import contextlib
import os
import threading
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imgai.errors import ImgaiError, PluginError
from imgai.plugin import Model
from imgai.predict.backends.base import Backend, Run
from imgai.predict.backends.eager import TORCH
from imgai.predict.backends.export import check, export, key, shaped
from imgai.predict.foreign.graph import OnnxNetwork

_FIRST = threading.Lock()
"""Held by the thread that reads the first tensor of OpenVINO."""
Call = Callable[[list[np.ndarray]], list[np.ndarray]]
"""A graph made ready: its inputs in order, to its outputs."""


class GraphBackend(Backend):
    """A backend that runs graphs of ONNX.

    strict: a network that cannot be a graph is an error; else torch runs it.
    """

    half = False

    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict

    @abstractmethod
    def open(self, graph: bytes, device: torch.device) -> Call:
        """Make a graph ready to be called on a device. Raises PluginError for a device that it does not run on."""

    def take(self, network: OnnxNetwork, device: torch.device) -> None:
        """Run a graph from a file with this backend; a no-op for ONNX Runtime, which runs it already."""

    def prepare(self, model: Model, network: Callable[..., Any], device: torch.device) -> Run:
        eager = TORCH.prepare(model, network, device)
        if not isinstance(network, nn.Module):
            return eager  # there is nothing to export
        if graphs := [module for module in network.modules() if isinstance(module, OnnxNetwork)]:
            for each in graphs:
                self.take(each, device)
            return eager
        opened: dict[tuple[int, ...], tuple[Callable[[tuple[Tensor, ...]], Any] | None, Any]] = {}

        def run(inputs: tuple[Tensor, ...], precision: torch.dtype) -> Any:
            form = tuple(value.ndim * 1000 + (value.shape[1] if value.ndim != 4 else 0) for value in inputs)
            if form not in opened:
                try:
                    opened[form] = self._opened(model, network, inputs, device)
                except ImgaiError:
                    if self._strict:
                        raise
                    opened[form] = None, None
            call, like = opened[form]
            return eager(inputs, precision) if call is None else shaped(call(inputs), like)

        return run

    def _opened(
        self, model: Model, network: nn.Module, inputs: tuple[Tensor, ...], device: torch.device
    ) -> tuple[Callable[[tuple[Tensor, ...]], list[Tensor]], Any]:
        """The graph of a network, exported or from the cache, and the form of what the network returns."""
        any_size = model.input_size is None
        small = tuple(value[:1] for value in inputs)
        if any_size:  # a graph is as good from a small tile, and sooner made
            side = -(-max(64, model.minimum) // model.multiple_of) * model.multiple_of
            small = tuple(value[..., :side, :side].contiguous() if value.ndim == 4 else value for value in small)
        small = tuple(torch.rand_like(value) if value.ndim == 4 else value for value in small)
        with torch.inference_mode():
            like = network(*small)
        name = key(network, small, any_size=any_size)
        path = None if name is None else _folder() / f"{name}.onnx"
        with contextlib.suppress(OSError, ImgaiError):
            if path is not None:
                return self._callable(path.read_bytes(), device), like
        graph = export(network, small, any_size=any_size)
        call = self._callable(graph, device)
        check(network, call, small, model.multiple_of if any_size else 0)
        if path is not None:
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                half = path.with_name(f"{path.name}.{os.getpid()}")
                half.write_bytes(graph)
                half.replace(path)
        return call, like

    def _callable(self, graph: bytes, device: torch.device) -> Callable[[tuple[Tensor, ...]], list[Tensor]]:
        call = self.open(graph, device)

        def run(inputs: tuple[Tensor, ...]) -> list[Tensor]:
            answers = call([value.contiguous().float().cpu().numpy() for value in inputs])
            return [torch.from_numpy(answer).to(inputs[0].device) for answer in answers]

        return run


class OnnxBackend(GraphBackend):
    """ONNX Runtime."""

    name = "onnx"

    def open(self, graph: bytes, device: torch.device) -> Call:
        from imgai.predict.foreign.graph import session

        opened = session(graph, device)
        names = [each.name for each in opened.get_inputs()]
        wanted = [each.name for each in opened.get_outputs()]

        def call(values: list[np.ndarray]) -> list[np.ndarray]:
            # An input that the network does not look at is none of the graph's.
            given = {f"input{index}" if index else "input": value for index, value in enumerate(values)}
            answers: list[np.ndarray] = opened.run(wanted, {name: given[name] for name in names})
            return answers

        return call


class OpenVinoBackend(GraphBackend):
    """OpenVINO, on CPUs."""

    name = "openvino"

    def take(self, network: OnnxNetwork, device: torch.device) -> None:
        network.run_by(_Session(_compiled(network.path.read_bytes(), device)))

    def open(self, graph: bytes, device: torch.device) -> Call:
        compiled = _compiled(graph, device)
        requests = _Requests(compiled)
        # A step that changes nothing goes from the graph, and the input has the name of its output, too.
        known = [port.get_names() for port in compiled.inputs]

        def call(values: list[np.ndarray]) -> list[np.ndarray]:
            given = {f"input{index}" if index else "input": value for index, value in enumerate(values)}
            names = [next(name for name in each if name in given) for each in known]
            answers = requests.infer({name: given[name] for name in names})
            return [np.array(answers[port]) for port in compiled.outputs]

        return call


class _Session:
    """A graph of OpenVINO, called as one of ONNX Runtime is."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._requests = _Requests(compiled)

    def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        answers = self._requests.infer(given)
        return [np.array(answers[self._compiled.output(name)]) for name in names]


class _Requests(threading.local):
    """A request of a compiled graph for each thread: of one that several use, each may get another's answer."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()

    def infer(self, given: dict[str, np.ndarray]) -> Any:
        return self._request.infer(given)


def _compiled(graph: bytes, device: torch.device) -> Any:
    """A graph made ready by OpenVINO, which computes in fp32. Raises PluginError if it cannot be."""
    import openvino

    if device.type != "cpu":
        raise PluginError(f"--backend openvino runs on the CPU, not on {device}", "add --device cpu")
    # Its binding prepares for reading tensors at the first one. Two threads that read their first at once wait for
    # each other for ever: one holds the guard of that and wants the GIL, the other the reverse (seen in 2026.4.1).
    with _FIRST:
        openvino.Tensor(np.zeros(1, np.float32)).data  # noqa: B018
    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    hints["INFERENCE_NUM_THREADS"] = str(torch.get_num_threads())
    try:
        return core.compile_model(core.read_model(graph), "CPU", hints)
    except Exception as error:
        raise PluginError(f"OpenVINO cannot run the graph: {' '.join(str(error).split())[:160]}") from error


def _folder() -> Path:
    from imgai.predict.weights import cache_folder

    return cache_folder() / "graphs"
