"""Measure the cost and the side effects of importing a plugin, in a separate interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

LONGEST = 0.1
"""The time limit for importing a plugin's declarations in seconds; every command waits for it."""
_SHARE = 2.0
"""On a slow or busy machine, the limit is this many times the import of the host's own declarations."""
HEAVY = (
    *("torch", "kornia", "numpy", "PIL", "scipy", "skimage", "sklearn", "cv2", "torchvision", "timm", "transformers"),
    *(
        "onnx",
        "onnxruntime",
        "openvino",
        "tensorflow",
        "jax",
        "pandas",
        "matplotlib",
        "requests",
        "numba",
        "safetensors",
    ),
)
"""Packages that declarations must not import."""
_TIMEOUT = 60

_PROGRAM = """
import contextlib, importlib, io, json, logging, os, random, sys, threading, time, warnings
name, heavy, path = json.loads(sys.argv[1])
began = time.perf_counter()
import imgai.discovery, imgai.plugin
own = time.perf_counter() - began
sys.path[:0] = path

def mask():
    found = os.umask(0o077)
    os.umask(found)
    return found

def state():
    return {
        "the environment": dict(os.environ),
        "the working directory": os.getcwd(),
        "the filters of warnings": list(map(str, warnings.filters)),
        "the handlers or the level of logging": [list(map(str, logging.root.handlers)), logging.root.level],
        "the seed of random": random.getstate(),
        "sys.stdout or sys.stderr": [id(sys.stdout), id(sys.stderr)],
        "sys.excepthook": id(sys.excepthook),
        "print or open": [id(print), id(open)],
        "sys.path": list(sys.path),
        "the umask": mask(),
        "the threads that go on": [t.name for t in threading.enumerate() if not t.daemon],
    }

printed, error = io.StringIO(), ""
with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
    before = state()
    began = time.perf_counter()
    try:
        module = importlib.import_module(name)
        for hook in ("tasks", "models", "kinds", "formats"):
            register = getattr(module, "imgai_register_" + hook, None)
            if register is not None:
                list(register())
    except BaseException as fault:
        error = type(fault).__name__ + ": " + " ".join(str(fault).split())
    seconds = time.perf_counter() - began
    after = state()
changed = [what for what in before if before[what] != after[what]]
found = sorted(set(heavy) & set(sys.modules))
answer = json.dumps([seconds, own, found, printed.getvalue(), changed, error])
sys.__stdout__.write("\\n" + answer)
sys.__stdout__.flush()
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """The effects of importing a module and calling its hooks.

    seconds: the time for both. heavy: heavy packages that were imported. printed: the output.
    changed: global state of the interpreter that was changed. error: why it failed, on one line.
    longest: the time limit, given the speed of the machine at that moment.
    """

    seconds: float
    heavy: tuple[str, ...] = field(default=())
    printed: str = ""
    changed: tuple[str, ...] = field(default=())
    error: str = ""
    longest: float = LONGEST

    @property
    def slow(self) -> bool:
        """Whether it took longer than the limit."""
        return self.seconds > self.longest


def measure(module: str, path: Sequence[str] = ()) -> Imported:
    """Import a module in a new interpreter. path: further folders to search."""
    asked = json.dumps([module, list(HEAVY), [*path, *filter(None, sys.path)]])
    command = [sys.executable, "-P", "-c", _PROGRAM, asked]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, env={**os.environ})
    except subprocess.TimeoutExpired:
        return Imported(_TIMEOUT, error=f"it is not done after {_TIMEOUT} seconds")
    try:
        seconds, own, heavy, printed, changed, error = json.loads(answer.stdout.rpartition("\n")[2])
    except ValueError:
        words = answer.stderr.strip().splitlines()
        return Imported(0.0, error=words[-1] if words else f"the interpreter ended with {answer.returncode}")
    return Imported(seconds, tuple(heavy), printed.strip(), tuple(changed), error, max(LONGEST, _SHARE * own))
