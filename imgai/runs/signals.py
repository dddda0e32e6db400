"""Handle Ctrl-C and SIGTERM during a run."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread


@contextmanager
def on_signal(do: Callable[[], None]) -> Iterator[None]:
    """Call `do` at each SIGINT or SIGTERM, in place of what they did before; only the main thread hears them."""
    if current_thread() is not main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: do()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
