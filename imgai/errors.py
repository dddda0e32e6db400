"""The errors that users see, and the exit code of each.

Every message is one line that says what failed, for which file, and why; `hint` says what to do about it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # see imgai/__init__.py

if TYPE_CHECKING:
    from collections.abc import Iterable

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PLUGIN = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class ImgaiError(Exception):
    """An error with a message for the user. Raise one of its subclasses."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, hint: str = "", more: Iterable[str] = ()) -> None:
        """more: further lines, if there are several errors at once."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.more = tuple(more)

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(ImgaiError):
    """The request is wrong: an unknown name, an option out of range, nothing to do."""

    exit_code = EXIT_USAGE


class InputError(ImgaiError):
    """One input cannot be read, predicted or written; the run skips it and continues."""


def no_threads(error: BaseException) -> InputError:
    """Return the error for a system that does not allow a thread to be started."""
    return InputError(f"no thread can be started: {error}", "raise the limit (ulimit -u, or the container's)")


class UnsupportedError(ImgaiError):
    """The file is valid but uses a variant that is not supported; raised by a format, which does not know its name."""


class DeviceError(UsageError):
    """The machine does not have the requested device or precision."""


class PluginError(ImgaiError):
    """A plugin, a model or its weights could not be loaded."""

    exit_code = EXIT_PLUGIN
