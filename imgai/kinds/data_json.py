"""The ``json`` kind of data: the model's answer, a file for each page."""

from __future__ import annotations

import json
from collections.abc import Iterator

from imgai.plugin import Page, Rendered


def render(page: Page) -> Iterator[Rendered]:
    """Yield the dict as JSON; coordinates are in pixels of the image."""
    yield Rendered((json.dumps(page.output.value, ensure_ascii=False, indent=1) + "\n").encode(), ".json")
