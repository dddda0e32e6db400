"""Options, declared once as the fields of a dataclass, and how their values are checked, shown and described.

`imgai.plugin.param` declares a field of a plugin, `option` a field of the host. `options_of` returns them as `Option`
objects, from which the command line, ``imgai.toml``, recipes, ``imgai config``, the tables in the documentation and
the JSON Schema are built.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, TypeVar

from imgai.errors import UsageError
from imgai.plugin import Param, param_of

Params = TypeVar("Params")

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", tuple: "texts", Path: "a path"}
_UNITS = " KMGT"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # of a path, which has one slash; C:/ is none
_NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%|x|×)", re.IGNORECASE)
_WITH_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Traits:
    """Properties that the host's own options have in addition to those of a `Param`.

    short: a flag of one letter.
    shown: what ``--help`` prints as the default if the value itself says little.
    argument: a positional argument, without a flag.
    plain: text that contains commas is one value, not several.
    base: 1024 or 1000, for whole numbers that may have a suffix, as in ``512M``; `unit` says what they count.
    hidden: left out of ``--help``.
    scope: where it can be set. ``"typed"``: on the command line alone; ``"recipe"``: also in a recipe; ``"settings"``:
        also in imgai.toml and by an environment variable; ``"saved"``: --save-recipe writes it too.
    trusted: of files, only the user's own imgai.toml and recipes may set it, not the imgai.toml of the current folder,
        which may have come with the pictures.
    negatable: ``--no-NAME`` sets the opposite (bool only).
    offered: values that shell completion suggests if the choices are not the only valid values.
    address: of paths, whether it may be the address of a store.
    """

    short: str = ""
    shown: str = ""
    argument: bool = False
    plain: bool = False
    base: int = 0
    unit: str = ""
    hidden: bool = False
    scope: str = "saved"
    trusted: bool = False
    negatable: bool = True
    offered: tuple[str, ...] = ()
    address: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """One option, with everything that is needed to offer, read and show it.

    name: the name of the field. type: bool, int, float, str, Path, or tuple for several texts.
    default: MISSING if a value is required.
    panel: its heading in ``--help``.
    variable: the environment variable that sets it; empty if none does.
    suggested: values that shell completion suggests; the choices, if there are any.
    """

    name: str
    type: type[Any]
    default: object
    about: Param
    traits: Traits = Traits()
    panel: str = ""
    variable: str = ""
    suggested: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name used in files, which is the flag without its leading dashes: ``min-area``, ``as``."""
        return key_of(self.name)

    @property
    def flag(self) -> str:
        return f"--{self.key}"


def option(
    default: Any = MISSING,
    help: str = "",
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] | None = None,
    metavar: str | None = None,
    **traits: Any,
) -> Any:
    """Declare a field of one of the host's own dataclasses of options. traits: see `Traits`."""
    about = Param(help, minimum, maximum, None if choices is None else tuple(choices), metavar)
    metadata = {"imgai": about, "imgai.traits": Traits(**{"negatable": False, **traits})}
    return dataclasses.field(default=default, metadata=metadata)


def key_of(field_name: str) -> str:
    """The key in files for a field: ``min-area`` for ``min_area``. The underscore after a Python keyword is removed."""
    return field_name.rstrip("_").replace("_", "-")


def option_name(field_name: str) -> str:
    """The flag for a field: ``--min-area`` for ``min_area``."""
    return f"--{key_of(field_name)}"


def options_of(params: type[Any], panel: str = "") -> list[Option]:
    """The options that a dataclass declares, in order: its own fields first, then those of its base class."""
    return [dataclasses.replace(each, panel=panel) if panel else each for each in _declared(params)]


def _declared(params: type[Any]) -> tuple[Option, ...]:
    if params not in _DECLARED:  # annotations take long to evaluate
        hints = typing.get_type_hints(params)
        options = [
            _option_of(params, field, about, hints[field.name])
            for field in dataclasses.fields(params)
            if (about := param_of(field)) is not None
        ]
        own = inspect.get_annotations(params)
        _DECLARED[params] = tuple(sorted(options, key=lambda each: each.name not in own))
    return _DECLARED[params]


_DECLARED: dict[type[Any], tuple[Option, ...]] = {}


def _option_of(params: type[Any], field: dataclasses.Field[Any], about: Param, hint: object) -> Option:
    traits = field.metadata.get("imgai.traits", Traits())
    kind = _plain_type(hint, f"{params.__name__}.{field.name}")
    return Option(field.name, kind, field.default, about, traits, suggested=about.choices or traits.offered)


def as_values(params: type[Params], given: Mapping[str, object], **others: object) -> Params:
    """Return an instance of the dataclass with the given values, after checking them. None means the default.

    others: values of fields that are not options.
    Raises UsageError for an unknown name and for a value of the wrong type or out of range.
    """
    options = {each.name: each for each in _declared(params)}
    if unknown := sorted(set(given) - set(options)):
        known = ", ".join(each.flag for each in options.values()) or "none"
        raise UsageError(f"there is no option {option_name(unknown[0])}", f"there is {known}")
    checked = {name: check(options[name], value) for name, value in given.items() if value is not None}
    return params(**checked, **others)


def picked(params: type[Params], values: Mapping[str, object], **others: object) -> Params:
    """Return an instance of the dataclass with those of the already checked values that are its fields.

    Raises UsageError if the dataclass refuses them: a plugin may check several values together.
    """
    fields: Iterable[dataclasses.Field[Any]] = dataclasses.fields(params)  # type: ignore[arg-type]
    names = {field.name for field in fields if param_of(field) is not None} - others.keys()
    try:
        return params(**{name: value for name, value in values.items() if name in names}, **others)
    except (ValueError, TypeError) as error:
        raise UsageError(
            " ".join(str(error).split()) or f"{params.__name__} cannot be made of these options"
        ) from error


def read(option: Option, text: str) -> object:
    """Convert the text that was typed, or set by a variable, to the option's type. Raises UsageError if it cannot."""
    value: object = text
    if option.type in (int, float) and not option.traits.base:
        with contextlib.suppress(ValueError):
            value = option.type(text)
    if option.type is Path:
        value = Path(text)
    return check(option, value)


def check(option: Option, value: object, called: str = "", *, there: bool = True) -> Any:
    """Return the value as the dataclass stores it. Raises UsageError if its type is wrong or it is out of range.

    called: the name of the option in error messages; its flag by default.
    there: whether a named file must exist now.
    """
    name, about = called or option.flag, option.about
    if option.type is tuple:
        return _several(value, name, option)
    if option.traits.base and isinstance(value, str):
        return _with_unit(value, name, option)
    if option.type in (int, float) and isinstance(value, str) and (number := _NUMBER.fullmatch(value.strip())):
        value = _with_sign(number, option)
    if option.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if option.type is Path and isinstance(value, str):
        value = Path(value)
    if not isinstance(value, option.type) or (option.type is not bool and isinstance(value, bool)):
        raise UsageError(f"{name} takes {takes(option)}, not {_quoted(value)}")
    here = (option.type is Path or about.file) and not option.traits.address
    if here and _ADDRESS.match(str(value)):
        raise UsageError(f"{name} takes no address", "name a file or folder of this machine")
    if about.choices is not None and value not in about.choices:
        raise UsageError(f"{name} cannot be {value!r}", _nearest(str(value), about.choices))
    if about.file and there and not Path(str(value)).is_file():
        raise UsageError(f"{name} {value}: there is no such file", "check the path")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # A NaN is in no range, hence `not ... <= ...`.
        low = about.minimum is not None and not about.minimum <= value
        high = about.maximum is not None and not value <= about.maximum
        if low or high:
            raise UsageError(f"{name} cannot be {value}", f"it takes {takes(option)}")
    return value


def as_table(params: type[Any]) -> list[tuple[str, str, str, str]]:
    """Return a row for each field: flag, accepted values, default, help."""
    return [row_of(each) for each in _declared(params)]


def row_of(option: Option) -> tuple[str, str, str, str]:
    """Return the flag, the accepted values, the default and the help of an option."""
    choices = option.about.choices
    return option.flag, " or ".join(choices) if choices else takes(option), shown_default(option), option.about.help


def shown_default(option: Option) -> str:
    """Return the default as text; empty if there is none."""
    if option.traits.shown:
        return option.traits.shown
    default = option.default
    return "" if default in (None, "", (), MISSING) else shown(option, default)


def shown(option: Option, value: object) -> str:
    """Return a value as a user would type it: ``512M``, ``a, b``; yes or no for a flag."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return str(plain(option, value))


def plain(option: Option, value: object) -> object:
    """Convert a value for TOML or JSON: paths and whole numbers with a unit become text."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    if option.traits.base and isinstance(value, int):
        power = 0
        while value and value % option.traits.base == 0 and power < len(_UNITS) - 1:
            value, power = value // option.traits.base, power + 1
        return f"{value}{_UNITS[power]}".strip()
    return value


def as_schema(option: Option) -> dict[str, Any]:
    """Return the JSON Schema for an option's value in a recipe."""
    about = option.about
    one: dict[str, Any] = {"type": {bool: "boolean", int: "integer", float: "number"}.get(option.type, "string")}
    bounds = {"minimum": about.minimum, "maximum": about.maximum}
    one |= {name: bound for name, bound in bounds.items() if bound is not None}
    if about.choices and option.type is not tuple:
        one["enum"] = list(about.choices)
    if option.traits.base:
        one = {"anyOf": [one, {"type": "string"}]}
    if option.type is tuple:  # several, or one alone
        one = {"anyOf": [one, {"type": "array", "items": dict(one)}]}
    return one | {"description": about.help}


def completion(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a shell completion for an option that takes these names, also for further names after a comma."""
    known = tuple(names)

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in known if name.startswith(last)]

    return complete


def to_dict(params: Any) -> dict[str, Any]:
    """Return the fields of a params instance for records and digests. A field that names a file also gets a hash."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(params):
        value = getattr(params, field.name)
        values[field.name] = list(value) if isinstance(value, tuple) else value
        about = param_of(field)
        if about is not None and about.file and value is not None:
            status = Path(value).stat()
            values[f"{field.name}_sha256"] = _digest(value, status.st_size, status.st_mtime_ns)
    for name, path in getattr(params, "files", {}).items():  # of values that may be a file or something else
        status = Path(path).stat()
        values[f"{name}_sha256"] = _digest(path, status.st_size, status.st_mtime_ns)
    return values


@functools.lru_cache(maxsize=16)
def _digest(path: str, size: int, time: int) -> str:
    """Return the SHA-256 of a file. `size` and `time` are part of the cache key, so a changed file is read again."""
    import hashlib

    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _with_sign(number: re.Match[str], option: Option) -> object:
    """Return 0.6 for ``60%`` and 4 for ``4x`` if the option allows that, else the text itself."""
    if number[2] == "%":
        return float(number[1]) / 100 if option.type is float else number[0]
    value = float(number[1])
    return value if option.type is float else int(value) if value.is_integer() else number[0]


def _several(value: object, name: str, option: Option) -> tuple[str, ...]:
    """Return the texts of an option that was given several times, or once with commas."""
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else None
    if texts is None or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{name} takes {takes(option)}, not {_quoted(value)}")
    if option.traits.plain:
        return tuple(texts)
    about = option.about
    checked = []
    for text in (part.strip() for whole in texts for part in whole.split(",")):
        word = text
        if about.weighted:
            word, colon, weight = text.partition(":")
            if colon and not _is_weight(weight):
                raise UsageError(f"{name} {text}: {weight!r} is no weight", "it is a number of at least 0, as in a:0.7")
        if about.choices is not None and word not in about.choices:
            raise UsageError(f"{name} cannot be {word!r}", _nearest(word, about.choices))
        checked.append(text)
    if about.weighted and checked and sum(weight_of(text)[1] for text in checked) <= 0:
        raise UsageError(f"{name} {','.join(checked)}: all weights are 0", "let one of them be more")
    return tuple(checked)


def _quoted(value: object) -> str:
    """Return a value as TOML writes it, shortened for error messages."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _nearest(word: str, choices: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(choices)}"


def weight_of(text: str) -> tuple[str, float]:
    """Split ``a:0.7`` into its name and weight. The weight is 1 if there is no colon."""
    name, _, weight = text.partition(":")
    return name, float(weight or 1)


def _is_weight(text: str) -> bool:
    try:
        return 0 <= float(text) < math.inf
    except ValueError:
        return False


def _with_unit(text: str, name: str, option: Option) -> int:
    """Convert ``512M`` to a whole number."""
    match = _WITH_UNIT.fullmatch(text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"{name} cannot be {text!r}", f"it takes {takes(option)}")
    return int(float(match[1]) * option.traits.base ** _UNITS.index(match[2].upper() or " "))


def takes(option: Option) -> str:
    """Describe the accepted values: ``a number from 0 to 1``."""
    about = option.about
    if about.file:
        return "a file"
    if option.traits.base:
        return option.traits.unit
    word = _WORDS[option.type]
    if about.minimum is not None and about.maximum is not None:
        return f"{word} from {about.minimum:g} to {about.maximum:g}"
    if about.minimum is not None:
        return f"{word} of at least {about.minimum:g}"
    if about.maximum is not None:
        return f"{word} of at most {about.maximum:g}"
    return word


def _plain_type(hint: Any, whose: str) -> type[Any]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        inner = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        hint = inner[0] if len(inner) == 1 else hint
    if typing.get_origin(hint) is tuple and typing.get_args(hint) == (str, ...):
        return tuple
    if hint not in _WORDS:
        raise TypeError(
            f"{whose}: a param is bool, int, float, str, one of them or None, or tuple[str, ...], not {hint!r}"
        )
    return typing.cast("type[Any]", hint)
