"""The one line that a run writes about one input, and what the next run learns from it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from imgai.run.options import OutputOptions, StepSpec
from imgai.run.scan import Input

SCHEMA = 1
"""The version of the records' schema; docs/runs.md describes it."""

FOLDER = ".imgai"


class Records:
    """The records of an output folder, one JSON object a line, the last about an input counts."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out / FOLDER
        self.path = self.folder / "records.jsonl"
        self._lock = Lock()
        self._known: dict[str, tuple[str, list[tuple[str, int]]]] = {}

    def load(self) -> None:
        """Read what earlier runs wrote. A line torn by a killed run is passed over."""
        try:
            with self.path.open(encoding="ascii", errors="replace") as file:
                for line in file:
                    self._learn(line)
        except FileNotFoundError:
            return

    def unchanged(self, path: str, digest: str) -> bool:
        """Whether an input was done with this very digest and all its outputs are there still."""
        known = self._known.get(path)
        if known is None or known[0] != digest:
            return False
        return all(_size(self.out / output) == size for output, size in known[1])

    def append(self, record: dict[str, Any]) -> str:
        """Write a record at the end, in one piece, and return its line."""
        line = to_line(record)
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
                outputs = [(output["path"], output["bytes"]) for output in record["outputs"]]
                self._known[record["path"]] = (record["digest"], outputs)
        except (ValueError, KeyError, TypeError):
            return


def to_line(record: dict[str, Any]) -> str:
    """One line of ASCII; bytes of a name that are no UTF-8 are written as lone surrogates, ``\\udcXX``."""
    return json.dumps(record, ensure_ascii=True, separators=(", ", ": "))


def digest(item: Input, specs: Sequence[StepSpec], options: OutputOptions) -> str:
    """What an input's outputs depend on: the file's size and time, the weights, the params, what is written."""
    if item.path is None:
        return ""
    status = item.path.stat()
    what = {
        "schema": SCHEMA,
        "size": status.st_size,
        "time": status.st_mtime_ns,
        "steps": [
            {
                "model": f"{spec.task.name}/{spec.model_name}",
                "weights": [model.weights.sha256 for model in spec.models if model.weights],
                "size": None if spec.size is None else dataclasses.asdict(spec.size),
                "params": dataclasses.asdict(spec.params),
                "model_params": dataclasses.asdict(spec.model_params),
            }
            for spec in specs
        ],
        "outputs": dataclasses.asdict(options),
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
