"""``imgai help``: the same as ``--help``, and pages of the documentation, which the wheel brings."""

from __future__ import annotations

import difflib
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated

import typer

from imgai.cli.group import SYNONYMS
from imgai.cli.settings import Settings
from imgai.errors import UsageError
from imgai.pages import PAGES
from imgai.registry import Registry


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command."""

    @app.command("help", epilog=f"Pages: {', '.join(PAGES)}.")
    def help_(
        context: typer.Context,
        words: Annotated[
            list[str] | None, typer.Argument(metavar="COMMAND|PAGE", help="The command, or the page, to show.")
        ] = None,
    ) -> None:
        """Show what imgai can do, what a command takes (imgai help segment), or a page (imgai help formats)."""
        whole = context.find_root()
        if words and len(words) == 1 and words[0] in PAGES:
            _show(text_of(words[0]))
            return
        commands = getattr(whole.command, "commands", {})
        if words and words[0] not in {*commands, *SYNONYMS}:
            close = difflib.get_close_matches(words[0], [*commands, *PAGES], n=1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise UsageError(f"there is no command or page {words[0]}", f"{meant}imgai help lists both")
        whole.command.main([*(words or ()), "--help"], prog_name=whole.info_name)


def text_of(page: str) -> str:
    """The text of a page, in Markdown. Raises UsageError where the installation has none."""
    name = f"{PAGES[page]}.md"
    places = [Path(__file__).parents[2] / "docs" / name]  # of the source
    try:
        files = distribution("imgai").files or ()
        places += [Path(str(each.locate())) for each in files if each.as_posix().endswith(f"share/doc/imgai/{name}")]
    except PackageNotFoundError:
        pass
    for place in places:
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise UsageError(f"the page {page} is not in this installation", "pip install --force-reinstall imgai")


def _show(text: str) -> None:
    if not (sys.stdout is not None and sys.stdout.isatty()):
        typer.echo(text, nl=False)
        return
    from imgai.cli.page import show_page

    show_page(text)
