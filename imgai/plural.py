"""Plural forms of class names: nuclei, people, buses."""

from __future__ import annotations

_ODD = {
    "nucleus": "nuclei",
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "mouse": "mice",
    "knife": "knives",
    "foot": "feet",
    "tooth": "teeth",
    "goose": "geese",
    "leaf": "leaves",
    "bacterium": "bacteria",
    "mitochondrion": "mitochondria",
}
_SAME = frozenset(("sheep", "fish", "deer", "aircraft", "ink", "skis", "scissors", "broccoli", "background"))


def counted(count: int, name: str) -> str:
    """Return a count with the name of the objects: ``1,204 nuclei``."""
    return f"{count:,} {name if count == 1 else plural(name)}"


def plural(name: str) -> str:
    """Return the plural of a class name. If it has several words, the last one changes."""
    before, space, word = name.rpartition(" ")
    low = word.lower()
    if low in _SAME or not low.isascii() or not low.isalpha():
        return name
    if low in _ODD:
        several = _ODD[low]
    elif low.endswith(("s", "x", "z", "ch", "sh")):
        several = f"{word}es"
    elif low.endswith("y") and low[-2:-1] not in "aeiou":
        several = f"{word[:-1]}ies"
    else:
        several = f"{word}s"
    return f"{before}{space}{several}"
