"""SCORES: a folder for each class, or a table of names and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from imgai.errors import UsageError
from imgai.plural import counted
from imgai.training.example import Example
from imgai.training.layouts.base import Entry, Layout, in_order, parts_of, pictures, plain
from imgai.training.layouts.table import read_table

FEW = 5
"""Pictures of a class that are few enough to be said."""


class ScoresLayout(Layout):
    """``CLASS/picture.jpg``, or ``labels.csv`` with the columns name and label; below train/, val/ and test/ or not."""

    by_class = True

    def entries(self) -> list[Entry]:
        folder, findings = self.asked.folder, self.asked.findings
        tables = sorted(path for path in folder.glob("*.csv") if path.is_file())
        if len(tables) > 1:
            raise UsageError(
                f"{folder} has {len(tables)} tables: {tables[0].name}, {tables[1].name}", "keep one of them"
            )
        rows = list(read_table(tables[0], findings)) if tables else list(self._folders())
        names = sorted({label for _, _, _, label in rows})
        if len(names) < 2 and not (self.asked.labels and names):
            what = f"the one class {names[0]!r}" if names else "no folder with pictures"
            raise UsageError(
                f"{folder} has {what}", "make a folder for each of two or more classes, with pictures of it"
            )
        self.labels = in_order(names, self.asked)
        place = {label: index for index, label in enumerate(self.labels)}
        return [Entry(path, name, part, place[label]) for path, name, part, label in rows]

    def _folders(self) -> list[tuple[Path, str, str | None, str]]:
        folder, findings = self.asked.folder, self.asked.findings
        entries = []
        for part, root in parts_of(folder, findings).items():
            for path, name in pictures(root, findings, folder):
                inside = path.relative_to(root).parts
                if len(inside) < 2:
                    findings.leave_out("in no folder for a class", name)
                else:
                    entries.append((path, name, part, inside[0]))
        return entries

    def example(self, entry: Entry, page: int, pixels: np.ndarray, partner: np.ndarray | None) -> Example:
        return plain(entry, page, pixels, target=entry.target, classes=(entry.target,), truth=f"={entry.target}")

    def check(self, parts: Mapping[str, Sequence[Example]]) -> None:
        counts = Counter(example.target for example in parts["train"])
        for index, label in enumerate(self.labels):
            if not counts[index]:
                raise UsageError(
                    f"the class {label!r} has no picture to learn from", "add pictures, or take the class away"
                )
            if counts[index] < FEW:
                self.asked.findings.note(
                    f"the class {label!r} has only {counted(counts[index], 'picture')} to learn from"
                )
        measured = {example.target for example in parts["val"]}
        for index, label in enumerate(self.labels):
            if index not in measured:
                self.asked.findings.note(f"the class {label!r} has no picture to be measured with")
