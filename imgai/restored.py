"""What the import of a third-party plugin changes below and inside of Python, and how it is undone.

Each function takes a snapshot and returns the function that restores it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType
from typing import Any

Undo = Callable[[], None]

_MODULES = frozenset(
    """
    atexit click.core click.decorators click.types click.utils contextlib copy dataclasses enum functools importlib
    importlib.metadata inspect io itertools json json.decoder json.encoder logging operator os pathlib pluggy
    pluggy._manager posixpath ntpath random re shutil signal socket stat string subprocess sys tempfile textwrap
    threading time tomllib typer typer.core typer.main types typing warnings numpy torch torch.nn.functional PIL.Image
    """.split()  # noqa: SIM905 a list of so many names is not to be read
)
"""Modules whose functions the host calls. Those that are loaded before a plugin is imported keep them."""
_CLASSES = frozenset(("click.core", "json.decoder", "json.encoder", "pathlib", "subprocess"))
"""Modules whose classes keep their methods, too."""
_FUNCTIONS = (FunctionType, BuiltinFunctionType, type)
_METHODS = (FunctionType, classmethod, staticmethod, property)
_PACKAGES = ("PIL", "click", "kornia", "numpy", "pluggy", "rich", "safetensors", "torch", "typer")
"""Packages that the host imports, and for which no plugin may put something else in their place."""
_ENDINGS = ("_exit", "abort", "execv", "execve")
_LIMITS = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_STACK")


def functions() -> Undo:
    """Functions, classes and methods of modules that the host needs. Restored first: all that follows calls them."""
    loaded = _MODULES.intersection(sys.modules)
    modules = [(vars(sys.modules[name]), dict(vars(sys.modules[name]))) for name in loaded]
    classes = [
        (each, dict(vars(each)))
        for _, names in modules
        for each in names.values()
        if isinstance(each, type) and each.__module__ in _CLASSES
    ]

    def undo() -> None:
        for name in _MODULES.difference(loaded).intersection(sys.modules):
            if name in sys.stdlib_module_names and _patched(sys.modules[name]):
                del sys.modules[name]  # the host imports it anew
        for names, before in modules:
            if _same(names, before):
                continue
            for name, value in before.items():
                if isinstance(value, _FUNCTIONS) and names.get(name) is not value:
                    names[name] = value
        for each, before in classes:
            if _same(vars(each), before):
                continue
            for name, value in before.items():
                if isinstance(value, _METHODS) and vars(each).get(name) is not value:
                    with contextlib.suppress(AttributeError, TypeError):  # a class of C cannot be changed, nor was it
                        setattr(each, name, value)

    return undo


def _same(now: Any, before: dict[str, Any]) -> bool:
    """Whether two dictionaries are the same: fast where they are."""
    try:
        return bool(now == before)
    except Exception:  # of values that cannot be compared
        return False


def _patched(module: Any) -> bool:
    """Whether a module of the standard library, which the plugin was the first to import, has functions of others."""
    names = vars(module)
    for name in getattr(module, "__all__", ()):
        value = names.get(name)
        owner = value.__globals__.get("__name__", "") if isinstance(value, FunctionType) else "sys"
        if value is None or owner.partition(".")[0] not in sys.stdlib_module_names:
            return True
    return False


def descriptors() -> Undo:
    """The three standard files. Meanwhile nothing is read from them, and what is written, also by child processes or
    by libraries of C, goes to standard error: a picture may be on its way through the others."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    kept = [(number, copy) for number in (0, 1, 2) if (copy := _copy(number)) is not None]
    if len(kept) == 3:
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def undo() -> None:
        for number, copy in kept:
            with contextlib.suppress(OSError):  # a plugin that closes all files closes the copies, too
                os.dup2(copy, number)
                os.close(copy)

    return undo


def _copy(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:
        return None


def streams() -> Undo:
    """Streams that are open, and their encodings."""
    names = ("__stdout__", "__stderr__")
    kept = [(name, getattr(sys, name), _coding(getattr(sys, name))) for name in names]
    given = (sys.stdout, sys.stderr)

    def undo() -> None:
        for number, (name, stream, (encoding, errors)) in enumerate(kept, 1):
            if stream is None:
                continue
            if stream.closed:
                opened = open(number, "w", encoding=encoding, errors=errors, closefd=False)  # noqa: SIM115
                setattr(sys, name, opened)
                if given[number - 1] is stream:
                    setattr(sys, name.strip("_"), opened)
            elif _coding(stream) != (encoding, errors):
                stream.reconfigure(encoding=encoding, errors=errors)

    return undo


def _coding(stream: Any) -> tuple[str, str]:
    return (getattr(stream, "encoding", None) or "utf-8", getattr(stream, "errors", None) or "strict")


def endings(when: str = "while it was imported") -> Undo:
    """What ends the process or replaces it raises an error meanwhile. A child that was forked ends here."""
    own, kept = os.getpid(), {name: getattr(os, name) for name in _ENDINGS if hasattr(os, name)}
    leave = kept["_exit"]

    def refusing(name: str) -> Callable[..., Any]:
        def refuse(*values: Any) -> Any:
            if os.getpid() != own:
                return kept[name](*values)
            raise RuntimeError(f"it called os.{name} {when}")

        return refuse

    for name in kept:
        setattr(os, name, refusing(name))

    def undo() -> None:
        for name, function in kept.items():
            setattr(os, name, function)
        if os.getpid() != own:
            leave(0)

    return undo


def limits() -> Undo:
    """Limits of the operating system, and the signals that are held back."""
    try:
        import resource
    except ImportError:  # Windows
        return lambda: None
    numbers = [getattr(resource, name) for name in _LIMITS if hasattr(resource, name)]
    kept = [(number, resource.getrlimit(number)) for number in numbers]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def undo() -> None:
        for number, limit in kept:
            if resource.getrlimit(number) != limit:
                with contextlib.suppress(ValueError, OSError):  # a hard limit that was lowered stays
                    resource.setrlimit(number, limit)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    return undo


def settings() -> Undo:
    """Settings of the interpreter and of the modules that processes, sockets and times depend on."""
    import gc

    collects, often, debug = gc.isenabled(), gc.get_threshold(), gc.get_debug()
    switch, digits, hooks = sys.getswitchinterval(), sys.get_int_max_str_digits(), (sys.displayhook, sys.unraisablehook)
    zone = os.environ.get("TZ")
    starts, waits = _start_method(), _timeout()

    def undo() -> None:
        (gc.enable if collects else gc.disable)()
        gc.set_threshold(*often)
        gc.set_debug(debug)
        sys.setswitchinterval(switch)
        sys.set_int_max_str_digits(digits)
        sys.displayhook, sys.unraisablehook = hooks
        if os.environ.get("TZ") != zone and "time" in sys.modules and hasattr(sys.modules["time"], "tzset"):
            os.environ.pop("TZ", None)
            if zone is not None:
                os.environ["TZ"] = zone
            sys.modules["time"].tzset()
        if _start_method() != starts:
            sys.modules["multiprocessing"].set_start_method(starts, force=True)
        if _timeout() != waits:
            sys.modules["socket"].setdefaulttimeout(waits)

    return undo


def _start_method() -> str | None:
    multiprocessing = sys.modules.get("multiprocessing")
    return multiprocessing.get_start_method(allow_none=True) if multiprocessing is not None else None


def _timeout() -> float | None:
    socket = sys.modules.get("socket")
    return socket.getdefaulttimeout() if socket is not None else None


def packages() -> Undo:
    """Packages and parts of the host that are imported later: what a plugin puts in their place is taken away."""
    before = frozenset(sys.modules)

    def undo() -> None:
        for name in sys.modules.keys() - before:
            mine = name in _PACKAGES or name.startswith("imgai.")
            if mine and getattr(sys.modules[name], "__spec__", None) is None:
                del sys.modules[name]

    return undo
