"""The ``imgai`` command before anything heavy is imported: signals and standard streams.

What this module imports is there before the handlers are, so it is little: until then Ctrl-C is a traceback.
"""

from __future__ import annotations

import os
import signal
import sys

from imgai.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE

_exit = os._exit  # while a plugin is imported, that of os raises an error


def main() -> None:
    """The ``imgai`` command."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Exit at once: until a run has handlers of its own nothing is in progress, and imports may swallow errors.
            signal.signal(number, _leave)
    import gc
    import warnings

    # Imports and declarations make no garbage; collecting it took 6 % of the time of `imgai --help`.
    gc.disable()
    _open_streams()
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:  # torch's libraries end the process with words of their own
        from imgai.console import Console

        Console().fail("the folder you are in is gone; go to another")
        sys.exit(EXIT_USAGE)
    from imgai.cli.main import main as run

    if not sys.warnoptions:
        # Of metadata that is damaged; several threads read, and none of them can silence it for itself alone.
        warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        run()
    finally:
        try:
            _flush()
        finally:
            _end()


def _end() -> None:
    """End at once where a plugin left what Python would wait for, and say which plugin that is."""
    apart, ending = sys.modules.get("imgai.apart"), sys.exception()
    if apart is None or not isinstance(ending, SystemExit | None):
        return
    names = [name for name, threads in apart.left_running.items() if any(thread.is_alive() for thread in threads)]
    if stuck := apart.end():
        words = f"warning: the plugin {stuck} does not come to an end; it is ended"
    elif names:
        words = f"warning: the plugin {names[0]} started a thread that goes on; it is ended"
    else:
        return
    code = getattr(ending, "code", None) or 0
    os.write(2, f"{words}\n".encode())
    _exit(code if isinstance(code, int) else EXIT_FAILED)


def _leave(*_: object) -> None:
    """End, and say which plugin was being imported, if one was: it may be what takes so long."""
    apart = sys.modules.get("imgai.apart")
    name = getattr(apart, "loading", "")
    if name:
        os.write(2, f"\ninterrupted while the plugin {name} was imported; IMGAI_PLUGINS= leaves it out\n".encode())
    _exit(EXIT_INTERRUPTED)


def _open_streams() -> None:
    """Replace closed standard streams: the first file that is opened would get their number, and their output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _flush() -> None:
    """Flush stdout, or print one line that says why not: Python would print five, and exit with 120."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        from imgai.console import Console, Unheard, silence_stdout

        silence_stdout()
        if not isinstance(error, BrokenPipeError):
            Console().fail(str(Unheard(error.strerror or str(error))))
            sys.exit(EXIT_FAILED)
