"""Undo what a plugin does to the process while it is imported, and tell Ctrl-C from a KeyboardInterrupt it raises."""

from __future__ import annotations

import _locale
import atexit
import builtins
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

loading = ""
"""The distribution of the plugin that is being imported, for the message after Ctrl-C."""
left_running: dict[str, Any] = {}
"""By distribution: threads that a plugin started while it was imported, and for which Python would wait at its end."""

_PATIENCE = 5.0
"""Seconds after which it is told that a plugin takes long, and for which its functions for the end have time."""
_at_end: list[tuple[str, Callable[[], Any]]] = []
"""Functions for the end of the process, each with the distribution of the plugin that registered it."""
_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGCHLD") if hasattr(signal, name)
)
_NO_TIMER = (0.0, 0.0)


@contextlib.contextmanager
def apart(distribution: str, *, trusted: bool = False) -> Iterator[None]:
    """Import a plugin within this context: its prints go to stderr, and changes to global state are undone.

    trusted: it is an official one, of which only what an import commonly changes is undone.
    """
    global loading
    loading = distribution
    own, update = dict(vars(builtins)), vars(builtins).update
    limit, set_limit = sys.getrecursionlimit(), sys.setrecursionlimit
    first, last = ([], []) if trusted else _below(distribution)
    mine = [_streams(distribution), _interpreter(), _modules(), _surroundings(), _logging(), _threads(distribution)]
    try:
        yield
    finally:
        set_limit(limit)
        update(own)  # first: all that follows needs them
        loading = ""
        for each in (*first, *mine, *last):
            each()


def _below(distribution: str) -> tuple[list[Callable[[], None]], list[Callable[[], None]]]:
    """Take the snapshots of `imgai.restored`: those to restore before all others, and those to restore after them."""
    from imgai import restored

    first = [restored.functions(), restored.endings(), restored.descriptors()]
    last = [restored.packages(), restored.limits(), restored.settings(), restored.streams(), _watch(distribution)]
    return first, last


def _streams(distribution: str) -> Callable[[], None]:
    """Standard streams; and functions for the end of the process, which print to stderr, too."""
    streams, register = (sys.stdin, sys.stdout, sys.stderr), atexit.register
    sys.stdin, sys.stdout = io.StringIO(), sys.stderr

    def registered(function: Callable[..., Any], /, *values: Any, **named: Any) -> Callable[..., Any]:
        called = partial(_aside, function, values, named)
        _at_end.append((distribution, called))
        register(called)
        return function

    atexit.register = registered

    def undo() -> None:
        sys.stdin, sys.stdout, sys.stderr = streams
        atexit.register = register

    return undo


def _aside(function: Callable[..., Any], values: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Call a function with standard output turned to stderr: pictures may have been written there."""
    with contextlib.redirect_stdout(sys.stderr):
        function(*values, **named)


def end() -> str:
    """Call what plugins registered for the end of the process, the last first, but wait some seconds at most.

    Returns the distribution whose function does not end; empty if all did.
    """
    if not _at_end:
        return ""
    from threading import Thread

    left = list(_at_end)

    def work() -> None:
        from imgai.restored import endings

        while left:
            undo = endings("at the end")
            try:
                left[-1][1]()
            except BaseException as error:
                sys.stderr.write(f"warning: the plugin {left[-1][0]} fails at the end: {words_of(error)}\n")
            finally:
                undo()
            left.pop()

    for _, called in left:
        atexit.unregister(called)
    _at_end.clear()
    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return left[-1][0] if thread.is_alive() and left else ""


def _watch(distribution: str) -> Callable[[], None]:
    """Say which plugin it is that takes long, while it does."""
    from threading import Timer

    words = f"the plugin {distribution} is still being imported; Ctrl-C ends this, IMGAI_PLUGINS= leaves it out\n"
    timer = Timer(_PATIENCE, os.write, (2, words.encode()))
    timer.daemon = True
    timer.start()
    return timer.cancel


def _interpreter() -> Callable[[], None]:
    """What is called in an interpreter's course, and where it looks for modules; what was added there comes last."""
    hooks = (sys.excepthook, sys.gettrace(), sys.getprofile())
    lists = [(name, getattr(sys, name), list(getattr(sys, name))) for name in ("path", "meta_path", "path_hooks")]
    filters = list(sys.modules["warnings"].filters) if "warnings" in sys.modules else None

    def undo() -> None:
        if sys.gettrace() is not hooks[1]:
            sys.settrace(hooks[1])
        if sys.getprofile() is not hooks[2]:
            sys.setprofile(hooks[2])
        sys.excepthook = hooks[0]
        for name, places, before in lists:
            now = getattr(sys, name, None)
            if now is not places or places != before:
                added = [each for each in now if each not in before] if isinstance(now, list) else []
                places[:] = [*before, *added]
                setattr(sys, name, places)
        if filters is not None:
            sys.modules["warnings"].filters[:] = filters

    return undo


def _modules() -> Callable[[], None]:
    """Modules that are there already."""
    before = dict(sys.modules)

    def undo() -> None:
        after = sys.modules
        for name, module in before.items():
            if name not in after or after[name] is not module:
                after[name] = module

    return undo


def _surroundings() -> Callable[[], None]:
    """What the operating system knows of the process."""
    words, environment, folder = list(sys.argv), dict(os.environ), _folder()
    handlers = [signal.getsignal(number) for number in _SIGNALS]
    mask, language, timer = umask(), _locale.setlocale(_locale.LC_ALL), _timer()

    def undo() -> None:
        sys.argv[:] = words
        if dict(os.environ) != environment:
            for name in set(os.environ) - set(environment):
                del os.environ[name]
            os.environ.update(environment)
        if folder and _folder() != folder:
            os.chdir(folder)
        for number, handler in zip(_SIGNALS, handlers, strict=True):
            if handler is not None and signal.getsignal(number) is not handler:
                with contextlib.suppress(ValueError):  # signals can be set in the main thread only
                    signal.signal(number, handler)
        if timer == _NO_TIMER != _timer():
            signal.setitimer(signal.ITIMER_REAL, 0)
        if umask() != mask:
            os.umask(mask)
        if _locale.setlocale(_locale.LC_ALL) != language:
            _locale.setlocale(_locale.LC_ALL, language)

    return undo


def _timer() -> tuple[float, float]:
    """The alarm that is set."""
    return signal.getitimer(signal.ITIMER_REAL) if hasattr(signal, "getitimer") else _NO_TIMER


def umask() -> int:
    """Which permissions new files do not get; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _logging() -> Callable[[], None]:
    """Who hears what is logged: nobody, unless the host or the user says so."""
    root = sys.modules["logging"].root if "logging" in sys.modules else None
    before = (list(root.handlers), root.level, root.manager.disable) if root is not None else ([], 30, 0)

    def undo() -> None:
        if (logging := sys.modules.get("logging")) is not None:
            root = logging.root
            root.handlers[:], (root.level, root.manager.disable) = before[0], before[1:]
            root.manager._clear_cache()

    return undo


def _threads(distribution: str) -> Callable[[], None]:
    """Threads that go on."""
    threading = sys.modules.get("threading")
    before = set(threading.enumerate()) if threading is not None else set()

    def undo() -> None:
        if (threading := sys.modules.get("threading")) is None:
            return
        main = threading.main_thread()
        added = [each for each in threading.enumerate() if each not in before and each is not main]
        for thread in added:
            if not thread.daemon:
                left_running.setdefault(distribution, []).append(thread)

    return undo


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return ""


def is_interrupt(error: BaseException) -> bool:
    """Whether the user pressed Ctrl-C: a KeyboardInterrupt that was not raised by a ``raise`` statement."""
    if not isinstance(error, KeyboardInterrupt):
        return False
    from opcode import opmap  # imported here because few commands need it

    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_lasti < 0:
        return True
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] != opmap["RAISE_VARARGS"]


def words_of(error: BaseException) -> str:
    """Return a plugin's error message on one line, or a replacement if its ``__str__`` fails."""
    try:
        return " ".join(str(error).split())
    except BaseException:
        return ""
