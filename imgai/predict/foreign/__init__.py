"""Models in users' own files: from a path to a declared `Model`.

`declare` is the only place where a path becomes a model. It detects the type of the file and calls the reader for
it: `community` (state dicts, through spandrel) or `onnx` (graphs). The result is
cached by the file's digest.
"""

from __future__ import annotations

import functools
import importlib
import re
import time
from pathlib import Path

from imgai.errors import PluginError, UsageError
from imgai.plugin import Model, Task, Weights
from imgai.predict.foreign.content import Content, content_of, files_of, identity

_READERS: dict[Content, str] = {
    Content.ZIP: "imgai.predict.foreign.community",
    Content.PICKLE: "imgai.predict.foreign.community",
    Content.SAFETENSORS: "imgai.predict.foreign.community",
    Content.NCNN: "imgai.predict.foreign.community",
    Content.ONNX: "imgai.predict.foreign.onnx",
}
"""The module that reads a kind of file: it has ``declare(path, task, ours, base) -> Model`` and ``load``."""
_TICKS = 100_000_000
"""Nanoseconds after which a change of a file shows in its time."""


def declare(path: Path, task: Task, ours: Model) -> Model:
    """Declare the model in a file for a task.

    ours: the task's default model, of a family the one with the largest scale.

    Raises UsageError if there is no such file, PluginError, in one line, for a file that cannot be used.
    """
    try:
        status = path.stat()
    except OSError:
        raise UsageError(f"--model {path}: there is no such file", "check the path") from None
    if not path.is_file():
        raise UsageError(f"--model {path} is no file", "name the file that holds the model")
    if task.inputs:
        words = f"{path} cannot be used: files of other people are not run with a {' and a '.join(task.inputs)}"
        raise PluginError(words, f"leave out --model, or write a plugin for {task.name}")
    newest = _newest(path)
    # Clocks of file systems tick in hundredths of a second: what was written just now may be written again unseen.
    read = _declare.__wrapped__ if time.time_ns() - newest < _TICKS else _declare
    return read(path.absolute(), status.st_size, newest, task, ours)


@functools.lru_cache(maxsize=16)
def _declare(path: Path, size: int, newest: int, task: Task, ours: Model) -> Model:
    """As `declare`; read once, as long as the file's size and time stay the same."""
    try:
        content = content_of(path)
        if size == 0:
            raise PluginError(f"{path} is empty")
        if content is None:
            raise PluginError(
                f"{path} is no file of a model",
                "it is .pth, .pt, .ckpt, .safetensors, .onnx, or ncnn's .param beside its .bin",
            )
        for beside in files_of(path)[1:]:
            if not beside.is_file():
                raise PluginError(f"{path} needs {beside.name} beside it, which is not there")
        base = Model(
            name=_name(path),
            task=task.name,
            summary=f"Read from {path.name}.",
            license="unknown",
            load=f"{_READERS[content]}:load",
            weights=Weights(file=path.as_uri(), sha256=identity(path), size=size, license="unknown"),
        )
        model: Model = importlib.import_module(_READERS[content]).declare(path, task, ours, base)
    except OSError as error:
        raise PluginError(f"{path} cannot be read: {error.strerror or error}") from None
    return model


def _newest(path: Path) -> int:
    """The latest time of the files that a model consists of, in nanoseconds."""
    return max((each.stat().st_mtime_ns for each in files_of(path) if each.exists()), default=0)


def _name(path: Path) -> str:
    """The name of a file as models are called: ``4x-UltraSharp.pth`` is ``4x-ultrasharp``."""
    return "-".join(re.findall(r"[a-z0-9]+", path.stem.lower())) or "model"
