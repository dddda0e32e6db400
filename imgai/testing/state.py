"""Global state of the process, and which parts of it a plugin has changed."""

from __future__ import annotations

import builtins
import contextlib
import gc
import hashlib
import io
import locale
import logging
import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFile

from imgai.apart import umask

_SEED = 918_273_645
"""A seed that nobody else sets."""


def state() -> dict[str, object]:
    """Return the current global state, by descriptions that are used in messages."""
    pillow = (Image.open, Image.new, Image.fromarray, Image.Image.save, Image.Image.convert, Image.Image.resize)
    return {
        "the seed of torch": torch.initial_seed(),
        "the seed of random": random.getstate(),
        "the seed of NumPy": _digest(np.random.get_state()),
        "torch's number of threads": torch.get_num_threads(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's default device": torch.get_default_device(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "torch's precision of products": torch.get_float32_matmul_precision(),
        "torch's settings of cuDNN": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "the filters of warnings": list(map(str, warnings.filters)),
        "logging": (list(logging.root.handlers), logging.root.level, logging.root.manager.disable),
        "the environment": dict(os.environ),
        "the working directory": os.getcwd(),  # noqa: PTH109
        "torch's autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda"), _autocasts()),
        "torch's search for anomalies": torch.is_anomaly_enabled(),
        "torch's use of oneDNN": torch.backends.mkldnn.enabled,
        "torch's flushing of denormal numbers": float(_TINY * 0.5) == 0,
        "how processes are started": multiprocessing.get_start_method(allow_none=True),
        "how long sockets wait": socket.getdefaulttimeout(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "sys.path": list(sys.path),
        "the umask": umask(),
        "the threads that go on": _threads(),
        "Pillow": (*map(id, pillow), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES),
        "NumPy's handling of errors": np.geterr(),
        "sys.stdout or sys.stderr": (id(sys.stdout), id(sys.stderr)),
        "sys.excepthook": id(sys.excepthook),
        "a signal's handler": (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
        "print, open or a socket": (id(builtins.print), id(builtins.open), id(socket.socket)),
        "the recursion limit": sys.getrecursionlimit(),
        "garbage collection": gc.isenabled(),
    }


_TINY = torch.tensor(2.0**-126)


def _threads() -> list[str]:
    """Those for which Python waits at its end, but for those of pools, which end by themselves."""
    going_on = [each for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
    return sorted(each.name for each in going_on if not each.name.startswith("ThreadPoolExecutor"))


def changes(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """Describe what differs, with both values if they are short."""
    descriptions = []
    for what, value in before.items():
        if value != after[what]:
            texts = [str(each) for each in (value, after[what])]
            descriptions.append(f"{what} from {texts[0]} to {texts[1]}" if max(map(len, texts)) < 30 else what)
    return descriptions


@contextlib.contextmanager
def kept() -> Iterator[tuple[list[str], io.StringIO]]:
    """Yield a list and a text buffer. At the end, changes to global state are undone and described in the list; the
    buffer has what was printed.

    A plugin under test must not affect later tests.
    """
    changed: list[str] = []
    printed = io.StringIO()
    handlers, filters = list(logging.root.handlers), list(warnings.filters)
    pillow = {name: getattr(Image, name) for name in ("open", "new", "fromarray", "MAX_IMAGE_PIXELS")}
    methods = {name: getattr(Image.Image, name) for name in ("save", "convert", "resize")}
    streams, generator = (sys.stdout, sys.stderr), torch.get_rng_state()
    drawn, numbers = random.getstate(), np.random.get_state()
    # A plugin may seed with what the tests around it have seeded with, which would not be seen.
    random.seed(_SEED)
    np.random.seed(_SEED)
    torch.manual_seed(_SEED)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        before = state()
        try:
            yield changed, printed
        finally:
            changed += changes(before, state())
            _undo(before)
            random.setstate(drawn)
            np.random.set_state(numbers)
            logging.root.handlers[:], warnings.filters[:] = handlers, filters  # type: ignore[index]
            for name, value in pillow.items():
                setattr(Image, name, value)
            for name, value in methods.items():
                setattr(Image.Image, name, value)
    sys.stdout, sys.stderr = streams
    torch.set_rng_state(generator)


def _undo(before: dict[str, Any]) -> None:
    os.chdir(before["the working directory"])
    for name in set(os.environ) - set(before["the environment"]):
        del os.environ[name]
    os.environ.update(before["the environment"])
    torch.set_default_dtype(before["torch's default dtype"])
    if torch.get_num_threads() != before["torch's number of threads"]:
        torch.set_num_threads(before["torch's number of threads"])
    torch.set_grad_enabled(before["torch's gradient mode"])
    if torch.are_deterministic_algorithms_enabled() != before["torch's deterministic mode"]:
        torch.use_deterministic_algorithms(before["torch's deterministic mode"])  # imports much
    torch.set_float32_matmul_precision(before["torch's precision of products"])
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before["torch's settings of cuDNN"]
    _, logging.root.level, logging.root.manager.disable = before["logging"]
    *enabled, depth = before["torch's autocast"]
    for device, used in zip(("cpu", "cuda"), enabled, strict=True):
        torch.set_autocast_enabled(device, used)
    while _autocasts() > depth:
        torch.autocast_decrement_nesting()
    torch.clear_autocast_cache()
    torch.autograd.set_detect_anomaly(before["torch's search for anomalies"])
    torch.backends.mkldnn.enabled = before["torch's use of oneDNN"]
    torch.set_flush_denormal(before["torch's flushing of denormal numbers"])
    multiprocessing.set_start_method(before["how processes are started"], force=True)
    socket.setdefaulttimeout(before["how long sockets wait"])
    locale.setlocale(locale.LC_ALL, before["the locale"])
    sys.path[:] = before["sys.path"]
    os.umask(before["the umask"])
    np.seterr(**before["NumPy's handling of errors"])
    sys.setrecursionlimit(before["the recursion limit"])
    (gc.enable if before["garbage collection"] else gc.disable)()
    if torch.get_default_device() != before["torch's default device"]:
        torch.set_default_device(None)


def _autocasts() -> int:
    """Return how many contexts of autocast are open. While any is, weights that were cast are kept and never renewed:
    a network that learns afterwards computes with those it had first."""
    depth = int(torch.autocast_increment_nesting()) - 1
    torch.autocast_decrement_nesting()
    return depth


def _digest(values: Any) -> str:
    return hashlib.sha256(repr(tuple(map(str, values))).encode()).hexdigest()[:16]
