"""Read state dicts from files: only tensors by name are read.

No code in a file is executed: pickles are read with ``weights_only=True``. Memory is bounded by the size of the file.
"""

from __future__ import annotations

import contextlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgai.errors import PluginError
from imgai.predict.foreign.content import Content

State = dict[str, Tensor]

_WRAPPED = (
    *("params_ema", "params-ema", "model_ema", "ema", "params", "state_dict", "model_state_dict"),
    *("model", "net", "netG", "net_g", "generator", "g_ema", "network", "weights"),
)
"""Under which names training programs keep the state dict, that of the averaged weights first."""
_PREFIXES = ("module.", "netG.", "net_g.", "_orig_mod.", "model.module.", "generator.")
_LARGEST = 4 << 30
"""Bytes of a file that is read."""


def read_state(path: Path, content: Content) -> State:
    """The state dict of a file of torch or of safetensors. Raises PluginError, in one line, for whatever it holds."""
    if path.stat().st_size > _LARGEST:
        raise PluginError(f"{path} has more than {_LARGEST >> 30} GB", "models of that size are not read")
    with _one_line(path):
        if content is Content.SAFETENSORS:
            return checked(_tensors(path), path)
        if content is Content.ZIP:
            _check_archive(path)
        with _harmless():
            held = torch.load(path, map_location="cpu", weights_only=True)
        return checked(_unwrapped(held, path), path)


def checked(state: State, path: Path) -> State:
    """The state dict itself. Raises PluginError for tensors that claim more than they hold, and values not finite."""
    for name, value in state.items():
        if value.layout is not torch.strided or value.is_quantized or value.is_complex() or value.is_meta:
            raise PluginError(f"{path} holds {name} as no plain tensor of real numbers", "save it as one")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise PluginError(f"{path} is damaged: {name} claims more numbers than the file holds")
        # Of the floats of 8 bits torch cannot say it.
        seen = value.float() if value.is_floating_point() and value.element_size() == 1 else value
        if seen.is_floating_point() and not bool(seen.isfinite().all()):
            raise PluginError(f"{path} holds values that are not finite in {name}", "its training has failed")
    if state and not any(value.is_floating_point() for value in state.values()):
        raise PluginError(f"{path} holds whole numbers alone", "save its weights as they were trained, in float")
    return state


def _tensors(path: Path) -> State:
    from safetensors.torch import load_file

    return load_file(path)


def _check_archive(path: Path) -> None:
    """Raise PluginError for an archive that is none of a state dict, or would unpack to far more than its size."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if sum(each.file_size for each in members) > path.stat().st_size * 1.2 + (1 << 20):
        raise PluginError(f"{path} unpacks to far more than its size", "torch's own files are not compressed")
    names = [each.filename for each in members]
    if any(name.endswith("/constants.pkl") for name in names):
        raise PluginError(f"{path} is a TorchScript program, not a state dict", "export it to ONNX, or save its state")
    if not any(name.endswith("/data.pkl") for name in names):
        raise PluginError(f"{path} is an archive, and none of torch's")


def _unwrapped(held: object, path: Path) -> State:
    """The state dict within what a training program saved."""
    for _ in range(4):
        if not isinstance(held, dict):
            break
        inner = next((held[name] for name in _WRAPPED if isinstance(held.get(name), dict)), None)
        if inner is None and len(held) == 1:
            inner = next(iter(held.values()))
        if not isinstance(inner, dict):
            break
        held = inner
    if not isinstance(held, dict):
        raise PluginError(f"{path} holds {type(held).__name__}, not a state dict", "save model.state_dict()")
    state = {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
    if not state:
        raise PluginError(f"{path} holds no tensors by name", "save model.state_dict()")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _scalar(kind: np.dtype[Any], content: bytes = b"") -> Any:
    """A number of NumPy, from a pickle: of plain kinds alone."""
    if kind.hasobject or kind.itemsize > 16:
        raise pickle.UnpicklingError("it holds NumPy objects")
    return np.frombuffer(content, kind, 1)[0]


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """Let pickles hold numbers of NumPy: training programs keep a score or two beside the weights."""
    kinds = [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    allowed: list[Any] = [np.dtype, *dict.fromkeys(kinds)]
    allowed += [(_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old protocols: what cannot be read is an error
        yield


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Convert exceptions of libraries to a PluginError of one line."""
    try:
        yield
    except (PluginError, KeyboardInterrupt):
        raise
    except (OSError, MemoryError) as error:
        raise PluginError(f"{path} cannot be read: {_first_line(error)}") from None
    except Exception as error:
        text = str(error)
        named = re.search(r"Unsupported (?:global|class)[^:\n]*: ?(?:GLOBAL )?(\S+)|GLOBAL (\S+)", text)
        if named or "Unsupported operand" in text:
            what = (named[1] or named[2]).rstrip(".,") if named else "an instruction that no file of weights needs"
            raise PluginError(
                f"{path} is not read: it would run code of its own ({what})",
                "ask for it as .safetensors, or save model.state_dict() alone",
            ) from None
        raise PluginError(f"{path} is damaged or no file of a model: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."
