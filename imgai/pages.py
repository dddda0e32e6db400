"""The pages of the documentation that ``imgai help`` shows, so that who has the wheel alone can open them."""

from __future__ import annotations

PAGES = {
    "formats": "formats",
    "kinds": "kinds",
    "cutouts": "cutouts",
    "counts": "counts",
    "pages": "pages",
    "recipes": "recipes",
    "pipes": "pipes",
    "configuration": "configuration",
    "records": "runs",
    "scale": "scale",
    "other-models": "models",
    "training": "training",
    "training-data": "training-data",
    "reports": "report",
}
"""What a page is called, and its file in docs/. No name of a command is one of them: that shows the command's help."""


def see(page: str) -> str:
    """The words that lead to a page, for an error."""
    assert page in PAGES
    return f"imgai help {page} shows the page"
