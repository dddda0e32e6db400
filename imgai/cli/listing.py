"""Tables of the command line: no name in them is ever cut or broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_WIDE = 1000  # columns where no terminal says how many it has


def show(table: Table, note: str = "", *, spare: tuple[str, ...] = ()) -> None:
    """Print a table, at least as wide as its longest words ask for; where that is no terminal, a row is one line.

    Cells are shown as they are: ``imgai-segment[timm]`` is no markup. note: a line below the table. spare: the columns
    that are left out, first to last, as long as a terminal is too narrow; a line tells which.
    """
    from rich.console import Console

    console = Console(markup=False)
    if console.is_terminal:
        width, left_out = fit(table, console.width, console, spare)
        console = Console(markup=False, width=width)
    else:
        console, left_out = Console(markup=False, width=_WIDE), []
    console.print(table, highlight=False)
    if note:
        console.print(note, style="dim")
    if left_out:
        console.print(f"a wider terminal also shows: {', '.join(left_out)}", style="dim")


def fit(table: Table, room: int, console: Console, spare: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    """Give each column a width. Returns that of the table, and the names of the columns that were left out.

    rich alone would cut words of the widest columns. Here each has room for its longest word; what is left is shared.
    room: columns of the terminal. The table is wider than that if its longest words ask for it.
    """
    from rich.measure import Measurement

    options = console.options.update(width=_WIDE)
    _, right, _, left = table.padding
    asked = []
    for column in table.columns:
        cells = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
        most = max(cell.maximum for cell in cells)
        asked.append((most if column.no_wrap else max(cell.minimum for cell in cells), most))
    left_out: list[str] = []
    for name in spare:
        if sum(least + left + right for least, _ in asked) <= room:
            break
        index = next(index for index, column in enumerate(table.columns) if column.header == name)
        del table.columns[index], asked[index]
        left_out.append(name)
    least = sum(least + left + right for least, _ in asked)
    room = max(room, least)
    free = room - least
    needy = sorted(zip(table.columns, asked, strict=True), key=lambda pair: pair[1][1] - pair[1][0])
    for done, (column, (least, most)) in enumerate(needy):
        column.width = min(most, least + free // (len(needy) - done))
        free -= column.width - least
    return room, left_out
