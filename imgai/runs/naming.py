"""``--name``: the pattern for names of output files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from string import Formatter

from imgai.errors import UsageError
from imgai.predict.spec import StepSpec

FIELDS = ("stem", "task", "model", "ext")
_SEPARATORS = re.compile(r"[/\\\x00-\x1f]")
_EXT = "{ext}"


class Naming:
    """The name, without suffix, that the outputs of an input begin with."""

    def __init__(self, template: str, specs: Sequence[StepSpec]) -> None:
        """template: text with FIELDS in braces. Raises UsageError for one that is no name of a file."""
        self.template = template
        self._head = template.removesuffix(_EXT)
        self._values = {
            "task": "-".join(spec.task.name for spec in specs),
            "model": "-".join(PurePath(spec.model_name).name for spec in specs),
        }
        self.unique = "stem" in _fields(template, self._head)
        if not self("a").strip(". "):
            raise UsageError(f"--name {template}: nothing is left of it", 'write "{stem}-{task}{ext}", say')

    def __call__(self, stem: str) -> str:
        return self._head.format(stem=stem, **self._values)


def _fields(template: str, head: str) -> set[str]:
    """The fields before the suffix. Raises UsageError for what cannot be read."""
    known = ", ".join(f"{{{name}}}" for name in FIELDS)
    fields = set()
    try:
        for literal, name, spec, conversion in Formatter().parse(head):
            if _SEPARATORS.search(literal):
                raise UsageError(f"--name {template} is the name of a file, not a path", "--out names the folder")
            if name is None:
                continue
            if name == "ext":
                raise UsageError(f"--name {template}: {{ext}} is the end of a name", "put it last, or leave it out")
            if name not in FIELDS or spec or conversion:
                raise UsageError(f"--name {template}: there is no {{{name}}}", f"there is {known}")
            fields.add(name)
    except ValueError as error:
        raise UsageError(f"--name {template}: {error}", f"there is {known}; a brace itself is written {{{{") from None
    return fields
