"""Requirements of a distribution that are not met."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def unmet(requires: Iterable[str]) -> list[str]:
    """Return, for each requirement that is not installed or has the wrong version, what is wrong and how to install it.

    requires: requirements in the form of PEP 508, as in a distribution's metadata.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    problems = []
    for text in requires:
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            problems.append(f"{text} (which is no requirement that can be read)")
            continue
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            there = version(needed.name)
        except PackageNotFoundError:
            problems.append(f"{needed.name}{needed.specifier} is not installed: pip install {_quoted(needed)}")
            continue
        if not needed.specifier.contains(there, prereleases=True):
            problems.append(
                f"{needed.name}{needed.specifier} is needed, {there} is installed: pip install {_quoted(needed)}"
            )
    return problems


def _quoted(needed: object) -> str:
    text = str(needed).partition(";")[0].strip()
    return f"'{text}'" if set(text) & set("<>![ ") else text
