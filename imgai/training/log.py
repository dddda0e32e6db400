"""The log of a training: JSON lines, and a table of measurements."""

from __future__ import annotations

import csv
import io
import json
from importlib import import_module
from pathlib import Path
from typing import Any

from imgai.errors import InputError
from imgai.runs.commit import commit

LOG, RESULTS = "log.jsonl", "results.csv"


class Log:
    """The rows of a training, in a folder. What was written after the step that a resumed run begins at is dropped."""

    def __init__(self, folder: Path | None, *, step: int = 0, tensorboard: bool = False) -> None:
        """folder: None keeps the rows in memory alone. step: the first one that is to come."""
        self._folder = folder
        self._events: Any = None
        self._behind = False
        self.rows: list[dict[str, Any]] = []
        if folder is None:
            return
        self.rows = [row for row in _read(folder / LOG) if row["step"] <= step] if step else []
        self._write()
        if tensorboard:
            SummaryWriter = import_module("tensorboardX").SummaryWriter

            self._events = SummaryWriter(str(folder / "events"), purge_step=step or None)

    def add(self, row: dict[str, Any]) -> None:
        """Append a row; it has a ``step``."""
        self.rows.append(row)
        if self._folder is None:
            return
        try:
            if self._behind:
                self._write()
            else:
                with (self._folder / LOG).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            self._behind = False
        except (OSError, InputError):  # a disk that is full: written whole when there is room again
            self._behind = True
        if self._events is not None:
            for name, value in row.items():
                if name != "step" and isinstance(value, (int, float)) and not isinstance(value, bool):
                    self._events.add_scalar(name, value, row["step"])
            self._events.flush()

    def _write(self) -> None:
        assert self._folder is not None
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        commit(self._folder / LOG, lambda file: file.write(text.encode()))

    def measured(self) -> list[dict[str, Any]]:
        """The rows in which the model was measured."""
        return [row for row in self.rows if "score" in row]

    def write_results(self) -> None:
        """Write the table of the measurements."""
        if self._folder is None:
            return
        rows = self.measured()
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(rows)
        commit(self._folder / RESULTS, lambda file: file.write(text.getvalue().encode()))

    def close(self) -> None:
        """Finish the events."""
        if self._events is not None:
            self._events.close()


def _read(path: Path) -> list[dict[str, Any]]:
    """The rows of an earlier run; a line that was cut off is none."""
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                rows.append(row)
    return rows
