"""A page of the documentation on a terminal: tables and code of which no word is cut or folded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console
from rich.markdown import CodeBlock, Markdown, MarkdownElement, TableElement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from imgai.cli.listing import fit
from imgai.pages import PAGES

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult

_INDENT = (0, 0, 0, 2)
_LINK = re.compile(r"\[([^\]\n]+)\]\(([\w-]+)\.md(?:#[\w-]*)?\)")


def show_page(text: str) -> None:
    """Print Markdown, as wide as the terminal is. Lines of code that are wider go on, so that they can be copied."""
    Console().print(_Page(_LINK.sub(_led, text)), crop=False)


def _led(link: re.Match[str]) -> str:
    """What a link to another page says: the command that shows it, for a terminal opens no file of the source."""
    words, file = link.groups()
    page = next((page for page, name in PAGES.items() if name == file), None)
    return f"{words} (`imgai help {page}`)" if page else str(words)


class _Table(TableElement):
    """A table; where its columns do not fit beside each other, a list of its rows."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        heads = [] if self.header is None or self.header.row is None else [c.content for c in self.header.row.cells]
        rows = [] if self.body is None else [[cell.content for cell in row.cells] for row in self.body.rows]
        table = Table(box=None, header_style="bold", padding=(0, 2, 1, 0))
        for head in heads:
            table.add_column(head)
        for row in rows:
            table.add_row(*row)
        room, _ = fit(table, options.max_width, console)
        if room <= options.max_width:
            yield table
            return
        for first, *others in rows:
            yield Text.assemble(first, style="bold")
            for head, cell in zip(heads[1:], others, strict=False):
                if cell.plain.strip():
                    yield Padding(Text.assemble(head, ": " if head.plain else "", cell), _INDENT)


class _Code(CodeBlock):
    """Lines of code, as they are."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in str(self.text).rstrip().splitlines():
            yield Segment(f"  {line}")
            yield Segment.line()


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "table_open": _Table,
        "fence": _Code,
        "code_block": _Code,
    }
