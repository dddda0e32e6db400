"""``imgai help``: the same as ``--help``."""

from __future__ import annotations

from typing import Annotated

import typer

from imgai.cli.settings import Settings
from imgai.registry import Registry


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command."""

    @app.command("help")
    def help_(
        context: typer.Context,
        words: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="The command to explain.")] = None,
    ) -> None:
        """Show the help of imgai or of a command: imgai help segment."""
        whole = context.find_root()
        whole.command.main([*(words or ()), "--help"], prog_name=whole.info_name)
