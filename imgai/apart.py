"""Undo what a plugin does to the process while it is imported, and tell Ctrl-C from a KeyboardInterrupt it raises."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

loading = ""
"""The distribution of the plugin that is being imported, for the message after Ctrl-C."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def apart(distribution: str) -> Iterator[None]:
    """Import a plugin within this context: its prints go to stderr, and changes to global state are undone."""
    global loading
    loading = distribution
    streams, hook = (sys.stdin, sys.stdout, sys.stderr), sys.excepthook
    words, environment, folder = list(sys.argv), dict(os.environ), _folder()
    handlers = [signal.getsignal(number) for number in _SIGNALS]
    filters = list(sys.modules["warnings"].filters) if "warnings" in sys.modules else None
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        loading = ""
        sys.stdin, sys.stdout, sys.stderr = streams
        sys.excepthook = hook
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
        if filters is not None:
            sys.modules["warnings"].filters[:] = filters


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
