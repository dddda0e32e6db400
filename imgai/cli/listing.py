"""Tables of the command line: no name in them is ever cut or broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_WIDE = 1000  # columns where no terminal says how many it has


def show(table: Table, note: str = "") -> None:
    """Print a table, at least as wide as its longest words ask for; where that is no terminal, a row is one line.

    note: a line below it.
    """
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    if console.is_terminal:
        least = Measurement.get(console, console.options.update(width=_WIDE), table).minimum
        console = Console(width=max(console.width, least))
    else:
        console = Console(width=_WIDE)
    console.print(table, highlight=False)
    if note:
        console.print(note, style="dim")
