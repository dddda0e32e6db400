"""One params dataclass, seen three ways: as options, as checked values, as a table in the docs."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Union

from imgai.errors import UsageError
from imgai.plugin import Param, param_of

_TYPES = (bool, int, float, str, tuple)
"""tuple: of texts, an option that may be given several times."""


def option_name(field_name: str) -> str:
    """``min_area`` as people type it: ``--min-area``."""
    return "--" + field_name.replace("_", "-")


def fields_of(params: type[Any]) -> list[tuple[dataclasses.Field[Any], type[Any], Param]]:
    """Each field of a params dataclass with its type (without ``| None``) and its `Param`."""
    hints = typing.get_type_hints(params)
    found = []
    for field in dataclasses.fields(params):
        about = param_of(field)
        if about is None:
            raise TypeError(f"{params.__name__}.{field.name} is not made by imgai.plugin.param")
        found.append((field, _plain_type(hints[field.name], f"{params.__name__}.{field.name}"), about))
    return found


def as_options(params: type[Any], *, panel: str, unset: bool = False) -> list[inspect.Parameter]:
    """The fields as keyword parameters with Typer options.

    panel: the heading they stand under in ``--help``.
    unset: every default is None, so that a value that was given can be told from one that was not.
    """
    import typer

    options = []
    for field, kind, about in fields_of(params):
        name = option_name(field.name)
        flags = f"{name}/--no-{name[2:]}" if kind is bool else name
        text = about.help
        if about.choices:
            text += f" One of: {', '.join(about.choices)}."
        option = typer.Option(
            flags,
            help=text,
            rich_help_panel=panel,
            metavar=about.metavar or ("|".join(about.choices) if about.choices else None),
            show_default=_shown(field.default),
            autocompletion=completion(about.choices) if about.choices else None,
        )
        default: Any = None if unset else field.default
        accepted: Any = list[str] if kind is tuple else kind
        if kind is tuple and default is not None:
            default = list(default)
        annotation: Any = Annotated[Union[accepted, None], option]  # noqa: UP007 - kind is a value here
        options.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    return options


def completion(names: Iterable[str]) -> Callable[[str], list[str]]:
    """What a shell is offered for an option of these names; after a comma, for the next of them."""
    known = tuple(names)

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in known if name.startswith(last)]

    return complete


def as_values(params: type[Any], given: Mapping[str, Any]) -> Any:
    """An instance of the dataclass with the values given; None stands for the default.

    Raises UsageError for an unknown name, a value of another type or one out of range.
    """
    fields = {field.name: (field, kind, about) for field, kind, about in fields_of(params)}
    if unknown := sorted(set(given) - set(fields)):
        known = ", ".join(option_name(name) for name in fields) or "none"
        raise UsageError(f"there is no option {option_name(unknown[0])}", f"there is {known}")
    values = {name: _checked(value, *fields[name]) for name, value in given.items() if value is not None}
    return params(**values)


def as_table(params: type[Any]) -> list[tuple[str, str, str, str]]:
    """A row for each field: the option, what it takes, its default, its help."""
    rows = []
    for field, kind, about in fields_of(params):
        takes = " or ".join(about.choices) if about.choices else _range_words(kind, about)
        rows.append((option_name(field.name), takes, str(_shown(field.default)), about.help))
    return rows


def to_dict(params: Any) -> dict[str, Any]:
    """The fields of a params instance, for records and digests; of a file, also what is in it."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(params):
        value = getattr(params, field.name)
        found[field.name] = list(value) if isinstance(value, tuple) else value
        about = param_of(field)
        if about is not None and about.file and value is not None:
            status = Path(value).stat()
            found[f"{field.name}_sha256"] = _digest(value, status.st_size, status.st_mtime_ns)
    return found


@functools.lru_cache(maxsize=16)
def _digest(path: str, size: int, time: int) -> str:
    """Of what is in a file; read once, as long as it stays as it is."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _checked(value: Any, field: dataclasses.Field[Any], kind: type[Any], about: Param) -> Any:
    name = option_name(field.name)
    if kind is tuple:
        return _several(value, name, about)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise UsageError(f"{name} takes {_range_words(kind, about)}, not {value!r}")
    if about.choices is not None and value not in about.choices:
        raise UsageError(f"{name} cannot be {value!r}", f"it is one of {', '.join(about.choices)}")
    if about.file and not Path(value).is_file():
        raise UsageError(f"{name} {value}: there is no such file", "check the path")
    # A NaN is in no range, hence `not ... <= ...`.
    if about.minimum is not None and not about.minimum <= value:
        raise UsageError(f"{name} cannot be {value}", f"it takes {_range_words(kind, about)}")
    if about.maximum is not None and not value <= about.maximum:
        raise UsageError(f"{name} cannot be {value}", f"it takes {_range_words(kind, about)}")
    return value


def _several(value: Any, name: str, about: Param) -> tuple[str, ...]:
    """The texts of an option that was given several times, or once with commas between them."""
    texts = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{name} takes texts, not {value!r}")
    found = []
    for text in (part.strip() for whole in texts for part in whole.split(",")):
        plain = text
        if about.weighted:
            plain, colon, weight = text.partition(":")
            if colon and not _is_weight(weight):
                raise UsageError(f"{name} {text}: {weight!r} is no weight", "it is a number of at least 0, as in a:0.7")
        if about.choices is not None and plain not in about.choices:
            near = difflib.get_close_matches(plain, about.choices, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(about.choices)}"
            raise UsageError(f"{name} cannot be {plain!r}", hint)
        found.append(text)
    if about.weighted and sum(weight_of(text)[1] for text in found) <= 0:
        raise UsageError(f"{name} {','.join(found)}: all weights are 0", "let one of them be more")
    return tuple(found)


def weight_of(text: str) -> tuple[str, float]:
    """``a:0.7`` as its two parts; without a colon, the weight is 1."""
    name, _, weight = text.partition(":")
    return name, float(weight or 1)


def _is_weight(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def _range_words(kind: type[Any], about: Param) -> str:
    if about.file:
        return "a file"
    words = {tuple: "texts", bool: "yes or no", int: "a whole number", float: "a number", str: "text"}[kind]
    if about.minimum is not None and about.maximum is not None:
        return f"{words} from {about.minimum:g} to {about.maximum:g}"
    if about.minimum is not None:
        return f"{words} of at least {about.minimum:g}"
    if about.maximum is not None:
        return f"{words} of at most {about.maximum:g}"
    return words


def _shown(default: Any) -> str | bool:
    if default is None or default == "":
        return False
    if isinstance(default, tuple):
        return ", ".join(default) or False
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default)


def _plain_type(hint: Any, whose: str) -> type[Any]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is Union:
        inner = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        hint = inner[0] if len(inner) == 1 else hint
    if typing.get_origin(hint) is tuple and typing.get_args(hint) == (str, ...):
        return tuple
    if hint not in _TYPES:
        raise TypeError(
            f"{whose}: a param is bool, int, float, str, one of them or None, or tuple[str, ...], not {hint!r}"
        )
    return typing.cast("type[Any]", hint)
