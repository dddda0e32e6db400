"""Commands that are built when they are called, so that ``imgai --help`` and other commands do not wait for them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand

from imgai.errors import UsageError
from imgai.words.mistakes import is_mistake, mistake, path_of


def add_later(app: typer.Typer, name: str, summary: str, panel: str, build: Callable[[typer.Typer], None]) -> None:
    """Add a command, or a group of them, of which only this line is known until it is called.

    summary: what the list of commands says of it. panel: the heading that it stands under there.
    build: adds the command itself to an app, under the same name.
    """

    class Later(TyperCommand):
        """The entry in the list of commands; the command itself is built when it is called."""

        def whole(self) -> Any:
            """The command itself."""
            own = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
            own.callback()(_nothing)  # with it an app of one command is a group, too
            build(own)
            return typer.main.get_group(own).commands[name]

        def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
            typed = list(args)
            try:
                return self.whole().make_context(info_name, args, parent=parent, **extra)
            except Exception as error:
                if not is_mistake(error):
                    raise
                # An error without a context is of this command's own words.
                path = "" if getattr(error, "ctx", None) else path_of(parent, info_name or name)
                raise _mended(error, info_name or name, typed) or mistake(error, path) from None

    app.command(name, cls=Later, short_help=summary, rich_help_panel=panel)(_nothing)


def _mended(error: Exception, command: str, typed: list[str]) -> UsageError | None:
    """Return advice for missing inputs or a missing output; None for other errors."""
    if type(error).__name__ == "NoSuchOption" and getattr(error, "option_name", "") == "--explain":
        return UsageError(f"{command} has nothing to explain", "--explain is of labels and masks: classify, segment")
    missing = getattr(getattr(error, "param", None), "name", None)
    if type(error).__name__ != "MissingParameter" or missing not in ("out", "inputs"):
        return None
    if missing == "inputs":
        return UsageError(
            "say which pictures: files or folders", f"for example: imgai {command} photos/ --out results/"
        )
    _check_inputs(getattr(getattr(error, "ctx", None), "params", {}).get("inputs") or ())
    return UsageError("say where the results go", f"try: imgai {command} {shlex.join(typed)} --out results/")


def _check_inputs(names: Sequence[str]) -> None:
    """Raise UsageError for the first name that means nothing: with an output it would be wrong, too."""
    from imgai.runs.scan import STDIN, expanded, scan
    from imgai.stores.url import address_of

    here = [name for name in names if name != STDIN and not name.startswith("@") and address_of(name) is None]
    for name in expanded(here, null=False):
        if not os.path.lexists(name):
            scan([name])  # which says why


def _nothing() -> None:
    pass
