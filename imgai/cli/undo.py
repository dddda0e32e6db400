"""``imgai undo``: remove the outputs of imgai from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgai.cli.command import exit_code
from imgai.cli.settings import Settings
from imgai.cli.show import megabytes
from imgai.console import Console
from imgai.errors import EXIT_FAILED, EXIT_OK
from imgai.plural import counted
from imgai.registry import Registry

_NAMED = 20
"""The number of kept files that are listed without --verbose."""


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command."""

    @app.command("undo", epilog="Examples:\n\nimgai undo masks/ --dry-run\n\nimgai undo masks/")
    def undo(
        folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder that --out named.")],
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print what would be removed, and remove nothing.")
        ] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every file.")] = False,
    ) -> None:
        """Remove the files that imgai made in a folder, unless they have changed since.

        Files that you have edited are kept and listed; your own files are kept. The next run makes removed files
        again. Not possible while a run writes into the folder.
        """
        console = Console(quiet=quiet, verbose=verbose)
        raise typer.Exit(exit_code(lambda: _undo(folder, dry_run, console)))


def _undo(folder: Path, dry_run: bool, console: Console) -> int:
    from imgai.runs.undo import undo

    def tell(path: Path) -> None:
        if dry_run:
            console.out_line(str(path))
        else:
            console.detail(f"removed {path}")

    undone = undo(folder, dry_run=dry_run, tell=tell)
    shown = undone.kept if console.verbose else undone.kept[:_NAMED]
    for path, why in shown:
        console.warn(f"{path} stays: {why}")
    if more := len(undone.kept) - len(shown):
        console.warn(f"and {more} more stay; --verbose names them")
    done = "would be removed" if dry_run else "removed"
    console.say(f"{counted(len(undone.removed), 'file')}, {megabytes(undone.bytes)}, {done} from {folder}")
    return EXIT_FAILED if any("cannot be removed" in why for _, why in undone.kept) else EXIT_OK
