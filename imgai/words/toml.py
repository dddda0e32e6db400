"""TOML files of options: read and checked, with the line of every mistake."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from imgai.bounded import TooMuch, read_bytes
from imgai.errors import UsageError
from imgai.params import Option, check

_HEADER = re.compile(r"\s*\[\[?\s*([\w-]+)\s*\]\]?")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")
_LARGEST = 1 << 20
"""The most bytes that are read."""
_DOTS = 100
"""The most dots in a line. A key of many parts takes tomllib quadratic time, and no key of ours has more than one."""


class TomlFile:
    """A TOML file of options. Errors are collected and raised together by `check`.

    content: what the file holds. lines: the line of each table and of each key in it; of the key None, the table's.
    """

    def __init__(self, path: Path, called: str = "") -> None:
        """called: how errors name the file. Raises UsageError where it cannot be read or is no TOML."""
        self.path = path
        text, self.content = _load(path, called or str(path))
        self.lines = _lines_of(text)
        self._wrong: list[tuple[int, str]] = []

    def complain(self, table: str, key: str | None, words: str, hint: str = "") -> None:
        """Add an error for a key of a table, or for the table."""
        self._wrong.append((self.line(table, key), f"{words}; {hint}" if hint else words))

    def line(self, table: str, key: str | None = None) -> int:
        return self.lines.get((table, key)) or self.lines.get((table, None)) or self.lines.get(("", table)) or 1

    def check(self) -> None:
        """Raise UsageError for everything that is wrong, in the order of the lines."""
        if self._wrong:
            first, *more = (f"{self.path}:{line}: {words}" for line, words in sorted(self._wrong))
            raise UsageError(first, more=more)

    def values(self, table: str, content: object, options: Sequence[Option], *, there: bool = True) -> dict[str, Any]:
        """The checked values of a table, by the names of the options.

        table: its name in `lines`; "" for the top of the file. content: what it holds. there: files that options name
        have to be there now.
        """
        if not isinstance(content, dict):
            self.complain(table, None, f"[{table}] is a table", f"write [{table}] and options below it")
            return {}
        known = {each.key: each for each in options}
        values = {}
        for key, value in content.items():
            if key not in known:
                dashed = key.replace("_", "-")
                hint = f"write {dashed}" if dashed in known else nearest(key, known)
                self.complain(table, key, f"there is no option {key!r}", hint)
                continue
            option = known[key]
            try:
                values[option.name] = check(option, self._beside(option, value), key, there=there)
            except UsageError as error:
                self.complain(table, key, error.message, error.hint)
        return values

    def _beside(self, option: Option, value: object) -> object:
        """Resolve a file named by an option, relative to this file first."""
        if option.about.file and isinstance(value, str) and (beside := self.path.parent / value).is_file():
            return str(beside)
        return value


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(names)}"


def _load(path: Path, called: str) -> tuple[str, dict[str, Any]]:
    import tomllib  # here, because few commands need it

    try:
        text = read_bytes(path, _LARGEST).decode("utf-8-sig").replace("\r\n", "\n")
    except TooMuch as error:
        raise UsageError(f"{called} cannot be read: {error.strerror}", "name a TOML file of options") from error
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", "check the name") from error
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{called} cannot be read: {why}", "name a TOML file") from error
    try:
        if any(line.count(".") > _DOTS for line in text.splitlines()):
            raise RecursionError
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = line[1] if line else text.count("\n") + 1
        raise UsageError(f"{path}:{where}: no valid TOML: {str(error).split(' (at')[0]}", "mend that line") from error
    except RecursionError as error:
        raise UsageError(f"{path}: no valid TOML: it is nested too deeply", "mend the file") from error


def _lines_of(text: str) -> dict[tuple[str, str | None], int]:
    """Return the line of each table and key. tomllib does not report lines, so the text is scanned.

    Tables of an array are counted: the second ``[[steps]]`` is ``steps.1``.
    """
    lines: dict[tuple[str, str | None], int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[1]
            if line.lstrip().startswith("[["):
                counts[table] = counts.get(table, -1) + 1
                lines.setdefault((header[1], None), number)
                table = f"{table}.{counts[table]}"
            lines.setdefault((table, None), number)
        elif key := _KEY.match(line):
            lines.setdefault((table, key[1]), number)
    return lines
