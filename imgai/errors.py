"""The errors that users see, and the exit code of each.

Every message is one line that says what, which file, why; `hint` says what to do about it.
"""

from __future__ import annotations

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
        """more: further lines, where several things are wrong at once."""
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
    """One input cannot be read, predicted or written; the run skips it and goes on."""


def no_threads(error: BaseException) -> InputError:
    """What is told where the system lets no thread be started."""
    return InputError(f"no thread can be started: {error}", "raise the limit (ulimit -u, or the container's)")


class UnsupportedError(ImgaiError):
    """A sound file of a kind that is not read or written; raised by a format, which does not know the file's name."""


class DeviceError(UsageError):
    """A device or precision was asked for that this machine does not have."""


class PluginError(ImgaiError):
    """A plugin, a model or its weights could not be loaded."""

    exit_code = EXIT_PLUGIN
