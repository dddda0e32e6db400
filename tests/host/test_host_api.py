"""What is public stays as it is unless it is changed on purpose.

After a change that is meant, ``python tests/host/test_host_api.py`` writes the list anew; its diff is the decision.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

LIST = Path(__file__).parent / "data" / "api.txt"
MODULES = ("imgai", "imgai.plugin", "imgai.testing")


def public() -> Iterator[str]:
    """A line for each public name, field, member and method, with its signature."""
    for module in MODULES:
        loaded = importlib.import_module(module)
        for name in sorted(loaded.__all__):
            yield from described(f"{module}.{name}", getattr(loaded, name))


def described(path: str, value: object) -> Iterator[str]:
    if isinstance(value, type) and issubclass(value, Enum):
        yield from (f"{path}.{member.name} = {member.value!r}" for member in value)
    elif dataclasses.is_dataclass(value) and isinstance(value, type):
        yield path
        for field in dataclasses.fields(value):
            has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            yield f"{path}.{field.name}: {field.type}" + (" = ..." if has_default else "")
        yield from methods(path, value)
    elif isinstance(value, type):
        yield path
        yield from methods(path, value)
    elif inspect.isroutine(value):
        yield f"{path}{inspect.signature(value)}"
    else:
        yield f"{path}: {type(value).__name__}"


def methods(path: str, value: type) -> Iterator[str]:
    for name, member in sorted(vars(value).items()):
        if name.startswith("_") and name != "__call__":
            continue
        if inspect.isfunction(member):
            yield f"{path}.{name}{inspect.signature(member)}"
        elif isinstance(member, property) or type(member).__name__ == "cached_property":
            yield f"{path}.{name}"


def test_public_names_change_on_purpose_alone() -> None:
    known, found = LIST.read_text(encoding="utf-8").splitlines(), list(public())
    gone, new = sorted(set(known) - set(found)), sorted(set(found) - set(known))
    assert (gone, new) == ([], []), f"if that is meant: python {Path(__file__).name}"


if __name__ == "__main__":
    LIST.write_text("\n".join(public()) + "\n", encoding="utf-8")
