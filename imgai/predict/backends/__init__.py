"""Backends that run networks. preprocess and postprocess always run in torch."""

from __future__ import annotations

import importlib
import importlib.util
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from imgai.errors import UsageError
from imgai.plugin import Model
from imgai.predict.backends.base import Backend, Run
from imgai.predict.backends.eager import TORCH

__all__ = ["TORCH", "Backend", "Run", "choose_backend", "fastest"]

_MODULES = {
    "torch": ("imgai.predict.backends.eager:TorchBackend", "torch"),
    "compile": ("imgai.predict.backends.eager:CompileBackend", "torch"),
    "onnx": ("imgai.predict.backends.onnx:OnnxBackend", "onnxruntime"),
    "openvino": ("imgai.predict.backends.onnx:OpenVinoBackend", "openvino"),
}
"""The class of each backend, and the library that it needs."""
_TABLE = Path(__file__).with_name("fastest.toml")


def choose_backend(asked: str = "auto", models: Iterable[Model] = (), device: str = "cpu") -> Backend:
    """Return a backend by name; "auto" is the fastest installed backend for the models.

    device: the type of the device. Raises UsageError for one that there is not, or whose library is missing.
    """
    if asked == "auto":
        return fastest(models) if device == "cpu" else TORCH
    if asked not in _MODULES:
        raise UsageError(f"there is no backend {asked!r}", f"it is auto, {', '.join(_MODULES)}")
    if not _installed(asked):
        raise UsageError(f"--backend {asked} needs {_MODULES[asked][1]}", f"pip install 'imgai[{asked}]'")
    return _backend(asked, strict=True)


def fastest(models: Iterable[Model]) -> Backend:
    """The first backend of the table that is installed, where all models have the same; else torch.

    The table, ``fastest.toml``, holds for each model the backends that were measured to be faster than torch on CPUs
    and to give the same pixels, within a level of 255.
    """
    table = _table()
    names = {next(filter(_installed, table.get(f"{model.task}/{model.name}", ())), "torch") for model in models}
    return _backend(names.pop(), strict=False) if len(names) == 1 else TORCH


def _backend(name: str, *, strict: bool) -> Backend:
    if name == "torch":
        return TORCH
    module, _, class_ = _MODULES[name][0].partition(":")
    made: Backend = getattr(importlib.import_module(module), class_)(strict=strict)
    return made


@cache
def _installed(name: str) -> bool:
    needs = (_MODULES[name][1],) if name in ("torch", "compile") else (_MODULES[name][1], "onnx")
    return all(importlib.util.find_spec(each) is not None for each in needs)


@cache
def _table() -> dict[str, tuple[str, ...]]:
    return {name: tuple(names) for name, names in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()}
