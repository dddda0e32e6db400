"""Errors of the parser of the command line, in the words and the look of all other errors.

Typer draws its own in a box, folded to the terminal's width. Its errors are those of the Click that comes with it,
which is no public module, so that they are known here by what they can do.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterator
from typing import Any

from imgai.errors import UsageError

_COMMAND = re.compile(r"No such command '(.*?)'\.")
_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)")
_VALUE = re.compile(r"Option '(.*)' requires an argument\.")


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Raise errors of the parser as UsageError. Help that is shown in place of missing words stays as it is."""
    try:
        yield
    except Exception as error:
        if not is_mistake(error):
            raise
        raise mistake(error) from None


def is_mistake(error: Exception) -> bool:
    """Whether an error is one of the parser, and not the help of a group that was called without a command."""
    return hasattr(error, "format_message") and type(error).__name__ != "NoArgsIsHelpError"


def mistake(error: Any, command: str = "") -> UsageError:
    """Return an error of the parser as a UsageError. command: what was called; by default as the error knows."""
    context = getattr(error, "ctx", None)
    command = command or path_of(context)
    see = f"see: {command} --help"
    words: str = error.format_message()
    if found := _COMMAND.match(words):
        known = getattr(context.command, "commands", ()) if context is not None else ()
        near = difflib.get_close_matches(found[1], known, n=1)
        called = command.partition(" ")[2]
        return UsageError(
            f"there is no command {f'{called} {found[1]}'.strip()}",
            f"did you mean {command} {near[0]}?" if near else f"{command} --help lists them",
        )
    if found := _EXTRA.match(words):
        return UsageError(f"{command} does not know what to do with {found[1]}", see)
    if found := _VALUE.match(words):
        return UsageError(f"{found[1]} needs a value", see)
    kind, parameter = type(error).__name__, getattr(error, "param", None)
    if kind == "NoSuchOption":
        near = sorted(error.possibilities or ())
        either = " or ".join(filter(None, (", ".join(near[:-1]), *near[-1:])))
        meant = f"did you mean {either}?" if near else see
        return UsageError(f"there is no option {error.option_name}", meant)
    if kind == "MissingParameter" and parameter is not None:
        flags = [flag for flag in parameter.opts if flag.startswith("--")]
        return UsageError(f"{flags[0] if flags else (parameter.name or '').upper()} is missing", see)
    words = words.replace("Value error, ", "").removesuffix(".")
    return UsageError(words[:1].lower() + words[1:], see)


def path_of(context: Any, *more: str) -> str:
    """Return the words that called a command, ``imgai models info``, however Python was called itself."""
    words = list(more)
    while context is not None and context.parent is not None:
        words.insert(0, context.info_name or "")
        context = context.parent
    return " ".join(("imgai", *words))
