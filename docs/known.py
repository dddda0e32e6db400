"""Write the list of known plugins into docs/known-plugins.md: ``python docs/known.py``. Nothing is fetched.

Listed is every project in this repository with the keyword ``imgai-plugin``, and what docs/known.toml names.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
PAGE = DOCS / "known-plugins.md"
KEYWORD = "imgai-plugin"
PLACE = re.compile(r"(<!-- known (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
FOLDERS = {"official": "plugins/*", "examples": "examples/plugin*/**"}


def listed(pattern: str) -> list[tuple[str, str, str]]:
    """Name, description and link of each project with the keyword."""
    found = []
    for file in sorted(DOCS.parent.glob(f"{pattern}/pyproject.toml")):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        if KEYWORD in project.get("keywords", ()):
            folder = file.parent.relative_to(DOCS.parent).as_posix()
            found.append((project["name"], project["description"], f"../{folder}"))
    return found


def others() -> list[tuple[str, str, str]]:
    """The same of plugins of other people."""
    known = tomllib.loads((DOCS / "known.toml").read_text(encoding="utf-8"))
    return [(name, about["description"], about["url"]) for name, about in sorted(known.items())]


def table(rows: list[tuple[str, str, str]]) -> str:
    """A row for each plugin."""
    if not rows:
        return "None yet.\n"
    lines = ["| plugin | what it does |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| [{name}]({link}) | {text} |" for name, text, link in rows)]) + "\n"


def filled(page: str) -> str:
    """The text of the page with its tables as they are now."""
    made = {name: table(listed(pattern)) for name, pattern in FOLDERS.items()} | {"others": table(others())}
    return PLACE.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n{found[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
