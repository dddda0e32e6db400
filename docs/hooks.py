"""What mkdocs does to pages: what they link to outside of docs/ is in the source alone, and is named in its place."""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for every page."""
    return _OUTSIDE.sub(lambda link: _named(link[1], link[2]), markdown)


def _named(words: str, path: str) -> str:
    return f"`{path}`" if words.strip("`") == path or "/" in words else f"{words} (`{path}` in the source)"
