"""A command of the command line, built from the options that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

from imgai.cli.panels import Command
from imgai.console import Console, silence_stdout
from imgai.errors import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, ImgaiError
from imgai.params import Option
from imgai.words.command import Given, function_of, given_of


def add_command(
    app: typer.Typer,
    name: str,
    options: Sequence[Option],
    work: Callable[[Given], int],
    *,
    help: str,
    short_help: str | None = None,
    examples: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Add a command to an app.

    work: what it does; returns the exit code.
    examples: commands that its help ends with.
    settings: the values, by name, of options that nobody typed.
    """
    function = function_of(options, lambda context: exit_code(lambda: work(given_of(context, options, settings or {}))))
    epilog = "\n\n".join(("Examples:", *examples)) if examples else None
    app.command(name, cls=Command, help=help, short_help=short_help, epilog=epilog)(function)


def exit_code(work: Callable[[], int]) -> int:
    """Do the work and return its exit code; an error that people meet is a line on stderr and its own code."""
    try:
        return work()
    except ImgaiError as error:
        for line in (str(error), *error.more):
            Console().fail(line)
        return error.exit_code
    except BrokenPipeError:
        silence_stdout()
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
