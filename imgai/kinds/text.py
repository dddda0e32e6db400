"""The ``text`` kind of data: a readable text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield the ``text`` of the dict if it has one, else a line ``name: value`` for each entry."""
    value: dict[str, Any] = page.output.value
    text = value.get("text")
    lines = [text] if isinstance(text, str) else [f"{name}: {_words(each)}" for name, each in value.items()]
    yield Rendered("".join(line.rstrip("\n") + "\n" for line in lines).encode(), ".txt")


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
