"""Results go to stdout, messages to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from imgai.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.text import Text

    from imgai.log import Log


class Console:
    """The standard streams, and how much is printed.

    quiet: print errors only. verbose: also print `detail`.
    log: a file that gets all messages, whether they are printed or not.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.log: Log | None = None
        self._err: RichConsole | None = None

    @property
    def err(self) -> RichConsole:
        """The console on stderr, created on first use."""
        if self._err is None:
            from rich.console import Console as RichConsole

            class Words(RichConsole):
                def on_broken_pipe(self) -> None:
                    """The reader of stderr has left; continue without messages."""
                    self.quiet = True
                    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

                def print(self, *objects: Any, **named: Any) -> None:
                    try:
                        super().print(*objects, **named)
                    except OSError:  # for example a full disk
                        self.on_broken_pipe()

            if sys.stderr is None:  # it was closed
                sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
            self._err = Words(stderr=True, highlight=False, soft_wrap=True)
        return self._err

    def say(self, text: str) -> None:
        """Print a message, unless ``--quiet`` was given."""
        self._note(text)
        if not self.quiet:
            self.err.print(_plain(text))

    def detail(self, text: str) -> None:
        """Print a message with ``--verbose`` only."""
        self._note(text)
        if self.verbose and not self.quiet:
            self.err.print(_plain(text, style="dim"))

    def warn(self, text: str) -> None:
        """Print a warning, unless ``--quiet`` was given."""
        self._note(f"warning: {text}")
        if not self.quiet:
            self.err.print(_plain(f"warning: {text}", style="yellow"))

    def fail(self, text: str) -> None:
        """Print an error, even with ``--quiet``."""
        self._note(f"error: {text}")
        self.err.print(_plain(f"error: {text}", style="red"))

    def _note(self, text: str) -> None:
        """Add a message to the log, if there is one."""
        if self.log is not None and not self.log.add(printable(text)):
            self.log = None
            self.fail("the log cannot be written any more; the run goes on without it")

    def out_line(self, text: str) -> None:
        """Write one line of results to stdout and flush, so that the next command in a pipe can begin.

        Raises BrokenPipeError if the reader has left, and Unheard if stdout cannot be written.
        """
        out = results()
        if out is None:
            raise Unheard("it is closed")
        try:
            out.write(printable(text) + "\n")
            out.flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            silence_stdout()
            raise Unheard(getattr(error, "strerror", None) or str(error)) from error


_results: TextIO | None = None
_is_aside = False


@contextlib.contextmanager
def prints_aside() -> Iterator[None]:
    """Redirect what plugins print to stderr. `results` still returns the real standard output."""
    global _results, _is_aside
    if _is_aside:
        yield
        return
    before, sys.stdout = sys.stdout, sys.stderr
    _results, _is_aside = before, True
    try:
        yield
    finally:
        sys.stdout, _results, _is_aside = before, None, False


def results() -> TextIO | None:
    """The real standard output, for results; None if it is closed."""
    return _results if _is_aside else sys.stdout


class Unheard(InputError):
    """Standard output cannot be written."""

    def __init__(self, why: str) -> None:
        super().__init__(f"standard output cannot be written: {why}", "send it to a place that has room")


def silence_stdout() -> None:
    """Discard the buffered output that Python would flush at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        out = results()
        if out is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def printable(text: str) -> str:
    """Escape control characters and characters that cannot be encoded: file names may contain any bytes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(text: str) -> str:
    """Escape square brackets in a plugin's text for a help page, where they would be markup."""
    if "[" not in text:
        return text
    from rich.markup import escape

    return escape(text)


def _plain(text: str, style: str = "") -> Text:
    """Make a `Text`, so that brackets in a file name are not taken for markup."""
    from rich.text import Text

    return Text(printable(text), style=style)
