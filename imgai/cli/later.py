"""Commands that are built when they are called, so that ``imgai --help`` and other commands do not wait for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand


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
            return self.whole().make_context(info_name, args, parent=parent, **extra)

    app.command(name, cls=Later, short_help=summary, rich_help_panel=panel)(_nothing)


def _nothing() -> None:
    pass
