"""The records of an output folder: what a run writes about each input, and what the next run learns from it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Lock
from typing import Any

from imgai.runs.record import SCHEMA, to_line

FOLDER = ".imgai"


class Records:
    """The records of an output folder, one JSON object a line, the last about an input counts."""

    def __init__(self, out: Path, *, table: str = "", keep: bool = True) -> None:
        """table: the name of the table in `out` that this run writes; its records lie apart.

        keep: whether anything is written at all.
        """
        self.out = out
        self.folder = out / FOLDER
        self.path = self.folder / (f"{table}.jsonl" if table else "records.jsonl")
        self.keep = keep
        self._lock = Lock()
        self._known: dict[str, tuple[str, str]] = {}  # digest, and outputs as JSON: the smallest form of them
        self._owner: dict[str, str] = {}  # by output, the input that became it last
        self._rows: dict[str, dict[str, Any]] | None = {} if table or not keep else None

    def load(self) -> None:
        """Read what earlier runs wrote. A line torn by a killed run is passed over."""
        if not self.keep:
            return
        try:
            with self.path.open(encoding="ascii", errors="replace") as file:
                for line in file:
                    self._learn(line)
        except (FileNotFoundError, NotADirectoryError):
            return

    def unchanged(self, path: str, digest: str) -> bool:
        """Whether an input was done with this very digest and all its outputs are there still."""
        known = self._known.get(path)
        if known is None or known[0] != digest:
            return False
        return all(_size(self.out / output["path"]) == output["bytes"] for output in self.outputs(path))

    def outputs(self, path: str) -> list[dict[str, Any]]:
        """What an input became in an earlier run; nothing, if it became none."""
        known = self._known.get(path)
        found: list[dict[str, Any]] = [] if known is None else json.loads(known[1])
        return found

    def made(self) -> set[str]:
        """The real paths of all that earlier runs wrote."""
        out = os.path.realpath(self.out)
        return {os.path.join(out, os.fsdecode(os.fsencode(path))) for path in self._owner}  # noqa: PTH118

    def row(self, path: str) -> dict[str, Any] | None:
        """The last record of an input, of this run or an earlier one; only runs that make tables have them."""
        return (self._rows or {}).get(path)

    def append(self, record: dict[str, Any]) -> str:
        """Write a record at the end, in one piece, and return its line."""
        line = to_line(record)
        if self._rows is not None:
            self._rows[record["path"]] = _cells(record)
        if not self.keep:
            return line
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            # A line that a killed run tore gets its end here, so that it takes no good one with it.
            with self.path.open("ab") as file:
                file.write((("\n" if self._torn() else "") + line + "\n").encode("ascii"))
        return line

    def _torn(self) -> bool:
        try:
            with self.path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1) != b"\n"
        except OSError:
            return False

    def _learn(self, line: str) -> None:
        try:
            record = json.loads(line)
            self._known.pop(record["path"], None)
            if record["schema"] == SCHEMA and record["status"] == "done":
                assert all("path" in output and "bytes" in output for output in record["outputs"])
                for output in record["outputs"]:
                    self._claim(output, record["path"])
                self._known[record["path"]] = (record["digest"], json.dumps(record["outputs"]))
                if self._rows is not None:
                    self._rows[record["path"]] = _cells(record)
        except (ValueError, KeyError, TypeError, AssertionError):
            return

    def _claim(self, output: dict[str, Any], path: str) -> None:
        """An output is of the input that was written there last; what was there before is gone."""
        owner = self._owner.get(output["path"], path)
        shared = owner == path or output.get("kind") == "sorted"  # equal files are sorted into one place
        if not shared and any(each["path"] == output["path"] for each in self.outputs(owner)):
            self._known.pop(owner)
        self._owner[output["path"]] = path


def _cells(record: dict[str, Any]) -> dict[str, Any]:
    """What a table tells of a record."""
    return {name: record[name] for name in ("width", "height", "scores", "error") if name in record}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
