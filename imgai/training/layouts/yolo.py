"""YOLO text files: a line for each object with class index, centre and size."""

from __future__ import annotations

import re
from pathlib import Path

from imgai.bounded import read_bytes
from imgai.errors import InputError, UsageError
from imgai.training.example import Box

_LARGEST = 1 << 26
_LISTS = ("classes.txt", "obj.names", "labels/classes.txt")
_TABLES = ("data.yaml", "data.yml", "dataset.yaml")


def read_names(folder: Path) -> tuple[str, ...] | None:
    """The names of the classes in ``classes.txt`` or ``data.yaml``; None without either.

    Raises UsageError for one that cannot be read.
    """
    for name in (*_LISTS, *_TABLES):
        path = folder / name
        if not path.is_file():
            continue
        try:
            text = read_bytes(path, _LARGEST).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read: {error}", "write it in UTF-8") from error
        names = _of_yaml(text) if name in _TABLES else [line.strip() for line in text.splitlines() if line.strip()]
        if not names:
            raise UsageError(f"{path} names no class", "write a name a line into classes.txt")
        return tuple(names)
    return None


def _of_yaml(text: str) -> list[str]:
    """The entry ``names`` of a YAML: a list in brackets, a list of dashes, or numbers with names."""
    match = re.search(r"^names:[ \t]*(.*)$", text, re.MULTILINE)
    if match is None:
        return []
    if match[1].startswith(("[", "{")):
        body = text[match.start(1) + 1 :].split("]" if match[1][0] == "[" else "}")[0]
        items = re.split(r",|\n", body)
    else:
        items = []
        for line in text[match.end() :].splitlines():
            if line.strip() and not re.match(r"\s*-|\s+\d+\s*:", line):
                break
            items.append(re.sub(r"^\s*-\s*", "", line))
    names = (re.sub(r"^\s*\d+\s*:\s*", "", re.sub(r"\s#.*", "", item)).strip().strip("'\"") for item in items)
    return [item for item in names if item]


def read_objects(path: Path, name: str) -> tuple[Box, ...]:
    """The boxes of one picture; a polygon counts as the box around it. Raises InputError for what is no such text."""
    try:
        lines = read_bytes(path, _LARGEST).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: its text {path.name} cannot be read") from error
    objects = []
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        try:
            label, values = int(cells[0]), [float(cell) for cell in cells[1:]]
            if label < 0 or not all(abs(value) < 1e3 for value in values):
                raise ValueError
        except ValueError:
            raise InputError(f"{name}: line {number} of its text is no class and numbers") from None
        if len(values) in (4, 5):  # the fifth is a score
            x, y, width, height = values[:4]
            objects.append((label, x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        elif len(values) >= 6 and len(values) % 2 == 0:
            objects.append((label, min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])))
        else:
            raise InputError(f"{name}: line {number} of its text has {len(values)} numbers, and a box has 4")
    return tuple(objects)
