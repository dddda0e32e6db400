"""Help of options on a terminal of any width: no name of an option, and no word of what it takes, is cut."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

_TABLE = "Table"
"""What typer's module of panels calls the tables that it makes."""
_LEAST, _EASY = 24, 36
"""Columns that a text beside an option has at least, and those that it gets before what the option takes is wrapped."""


class Command(TyperCommand):
    """A command whose help cuts no name."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        with whole_names():
            super().format_help(ctx, formatter)


@contextlib.contextmanager
def whole_names() -> Iterator[None]:
    """Let typer write its panels of options with tables that cut no name."""
    import typer.rich_utils as panels

    before = getattr(panels, _TABLE, None)
    if before is None:  # another typer, whose tables are made elsewhere
        yield
        return
    setattr(panels, _TABLE, _table_of(before))
    try:
        yield
    finally:
        setattr(panels, _TABLE, before)


def _table_of(base: type[Table]) -> type[Table]:
    class Options(base):  # type: ignore[misc, valid-type]
        """Names, what they take, and a text; the text is put below where there is no room beside."""

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            if not self.columns or self.columns[0].no_wrap:  # of commands, whose names are whole
                yield from super().__rich_console__(console, options)
                return
            *names, takes, _ = self.columns
            room = options.max_width - sum(self.padding[1::2]) * len(self.columns)
            for column in names:
                column.width = _widest(column, str.splitlines)
            room -= sum(column.width or 0 for column in names)
            least = _widest(takes, str.split)
            if room - least >= _LEAST:
                takes.width = max(least, min(_widest(takes, str.splitlines), room - _EASY))
                yield from super().__rich_console__(console, options)
                return
            from rich.padding import Padding
            from rich.text import Text

            for *cells, told in zip(*(column.cells for column in self.columns), strict=True):
                yield Text(" ").join(Text.assemble(cell) for cell in cells if str(cell))
                yield Padding(told, (0, 0, 0, 4))

    return Options


def _widest(column: Any, parts: Any) -> int:
    """The columns that the widest line, or word, of a column's cells takes."""
    from rich.cells import cell_len

    return max((cell_len(part) for cell in column.cells for part in parts(str(cell))), default=0)
