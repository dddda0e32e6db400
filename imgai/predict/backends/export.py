"""Export a torch network to an ONNX graph, and compare the two."""

from __future__ import annotations

import hashlib
import inspect
import io
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imgai.errors import PluginError

_OPSET = 17
_CLOSE = 1e-4
"""The largest difference that a graph may have from the network, relative to the largest value, and to 1."""


def export(network: nn.Module, inputs: Sequence[Tensor], *, any_size: bool) -> bytes:
    """The graph of a network with inputs of these shapes; the size of the batch may be any.

    any_size: height and width of inputs of four dimensions may be others too.
    Raises PluginError if the network cannot be a graph, or if the graph would answer otherwise than the network.
    """
    names = [f"input{index}" if index else "input" for index in range(len(inputs))]
    axes = {}
    for each, value in zip(names, inputs, strict=True):
        axes[each] = {0: "batch"}
        if any_size and value.ndim == 4:
            axes[each] |= {2: "height", 3: "width"}
    # Neither inference mode nor its tensors can be traced.
    folder = tempfile.TemporaryDirectory(prefix="imgai-")
    with folder as name, torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings(), _unprinted():
        file = Path(name) / "graph.onnx"
        warnings.simplefilter("ignore")
        given = tuple(value.clone() for value in inputs)
        answer = flat(network(*given))
        outputs = [f"output{index}" if index else "output" for index in range(len(answer))]
        dynamic = axes | {each: _moves(value, any_size) for each, value in zip(outputs, answer, strict=True)}
        try:
            torch.onnx.export(
                _Flat(network).eval(),
                given,
                str(file),
                input_names=names,
                output_names=outputs,
                dynamic_axes=dynamic,
                opset_version=_OPSET,
                dynamo=False,
            )
        except Exception as error:
            first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise PluginError(f"{type(network).__name__} cannot be a graph of ONNX: {first[:160]}") from error
        return file.read_bytes()


@contextmanager
def _unprinted() -> Iterator[None]:
    """Where a graph fails torch prints the whole of it to stdout, among the records and the pictures there."""
    kept = getattr(torch._C, "_jit_onnx_log", None)
    if kept is None:
        yield
        return
    torch._C._jit_onnx_log = lambda *_: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = kept


def check(network: nn.Module, run: Callable[[tuple[Tensor, ...]], Any], inputs: Sequence[Tensor], step: int) -> None:
    """Raise PluginError if a graph answers otherwise than its network, at this size and, if step is not 0, at others.

    step: what sides of inputs may grow by.
    """
    tries = [tuple(inputs)]
    if step:
        tries.append(tuple(_grown(value, step, 2 * step) for value in inputs))
    tries.append(tuple(torch.cat([value, value.flip(-1)]) for value in inputs))
    with torch.inference_mode():
        for values in tries:
            ours, theirs = flat(network(*values)), flat(run(values))
            for one, other in zip(ours, theirs, strict=True):
                if one.shape != other.shape:
                    words = f"gives {tuple(other.shape)}, not {tuple(one.shape)}"
                    raise PluginError(f"the graph of {type(network).__name__} {words}: it holds for one size alone")
                if one.numel() and float((one - other).abs().max()) > _CLOSE * max(1.0, float(one.abs().max())):
                    difference = float((one - other).abs().max())
                    raise PluginError(f"the graph of {type(network).__name__} answers otherwise, by {difference:.2g}")


def key(network: nn.Module, inputs: Sequence[Tensor], *, any_size: bool) -> str | None:
    """Return a hash of everything that the graph of a network depends on; None if the network cannot be pickled."""
    digest, content = hashlib.sha256(), io.BytesIO()
    try:
        _Pickler(content, digest.update).dump(network)
        files = {inspect.getsourcefile(type(module)) for module in network.modules()}
    except Exception:
        return None
    digest.update(content.getvalue())
    for file in sorted(file for file in files if file and "/torch/nn/" not in file.replace("\\", "/")):
        digest.update(Path(file).read_bytes())
    shapes = [tuple(value.shape[1:]) for value in inputs if not any_size or value.ndim != 4]
    digest.update(repr((torch.__version__, _OPSET, any_size, len(inputs), shapes)).encode())
    return digest.hexdigest()


def flat(answer: Any) -> list[Tensor]:
    """The tensors of what a network returned: a tensor, or a tuple, list or dict of them."""
    if isinstance(answer, Tensor):
        return [answer]
    values = answer.values() if isinstance(answer, dict) else answer
    return [tensor for value in values for tensor in flat(value)]


def shaped(tensors: Sequence[Tensor], like: Any) -> Any:
    """Tensors in the form of what a network returned."""
    rest = list(tensors)

    def fill(form: Any) -> Any:
        if isinstance(form, Tensor):
            return rest.pop(0)
        if isinstance(form, dict):
            return {name: fill(value) for name, value in form.items()}
        return tuple(fill(value) for value in form)

    return fill(like)


class _Pickler(pickle.Pickler):
    """Pickles a network so that the same one is the same bytes in every process.

    tell: is given the bytes of each tensor, in place of where it lies in memory.
    """

    def __init__(self, file: io.BytesIO, tell: Callable[[bytes], object]) -> None:
        super().__init__(file, protocol=4)
        self._tell = tell

    def persistent_id(self, value: object) -> object:
        if isinstance(value, Tensor):
            self._tell(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
            return repr((value.dtype, tuple(value.shape)))
        if isinstance(value, (set, frozenset)):  # in another order in every process
            return repr(sorted(map(repr, value)))
        return None


class _Flat(nn.Module):
    """A network whose answer is a tuple of tensors."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(flat(self.network(*inputs)))


def _moves(value: Tensor, any_size: bool) -> dict[int, str]:
    """The axes of an output that may have other lengths."""
    axes = {0: "batch"}
    return axes | {index: f"side{index}" for index in range(2, value.ndim)} if any_size else axes


def _grown(value: Tensor, down: int, across: int) -> Tensor:
    """An input with larger sides, if it is of four dimensions."""
    if value.ndim != 4:
        return value
    return nn.functional.pad(value, (0, across, 0, down), mode="replicate")
