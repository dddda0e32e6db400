"""Validate the declarations of a plugin: types, defaults, names.

The host checks third-party plugins when it discovers them; `imgai.testing` checks all plugins.
"""

from __future__ import annotations

import dataclasses
import math
import re
import sys
import types
import typing
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from imgai.apart import is_interrupt, words_of
from imgai.errors import UsageError
from imgai.params import check, options_of
from imgai.plugin import Format, Kind, Model, Task, param_of

Declared = Task | Model | Kind | Format

RESERVED_COMMANDS = frozenset(
    (
        *("chain", "run", "train", "evaluate", "compare", "try", "models", "plugins", "doctor", "schema", "config"),
        *("help", "version", "imgai", "runs", "undo", "serve", "log"),
    )
)
"""Names of commands that a task may not have. The list is fixed for this version of the plugin API.

A task whose name clashes with a command added to the host later is offered under another name; see `command_of`.
"""
RESERVED_OPTIONS = frozenset(
    """
    as backend batch channel compare contact device dpi dry_run excel explain explain_label fail_fast fail_if_empty
    folder force gpus_per_worker height help inputs json keep link list log mask max_pixels megapixels memory model name
    no_clobber normalize null on open out overwrite part precision progress quiet recipe report save_recipe scale
    sort_by sort_into steal threads threshold tile top undo verbose version watch width with workers write_xmp
    """.split()  # noqa: SIM905 a list of so many names is not to be read
)
"""Names of options that a param may not have. The list is fixed for this version of the plugin API.

A param whose name clashes with an option added to the host later gets a prefix; see `imgai.prefixed`.
"""


def command_of(task: Task, plugin: str, commands: Collection[str]) -> str:
    """Return the command of a task. plugin: the entry point's name. commands: the host's own commands."""
    return f"{plugin}-{task.name}" if task.name in commands else task.name


_LONGEST = 1000
"""The maximum number of characters of a text shown to users."""
_LONGEST_NAME = 100
_MOST = 10_000
"""The maximum number of choices, params or examples of one declaration, and of characters of a default."""
_FARTHEST = 2**63
"""Whole numbers stay below: Python does not write those of thousands of digits."""
_BEGINNINGS = {
    "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "TIFF": b"II*\0\x08\0\0\0",
    "WEBP": b"RIFF\0\1\0\0WEBPVP8 ",
    "GIF": b"GIF89a",
    "BMP": b"BM\0\1\0\0",
}
"""The first bytes of files of common formats."""
_HEADS = {name: head.ljust(132, b"\0") for name, head in _BEGINNINGS.items()}
_FIELD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*_?")


def trouble(declared: Iterable[Declared]) -> str:
    """Return the first problem of a plugin's declarations; empty if there is none."""
    return next(troubles(declared), "")


def troubles(declared: Iterable[Declared]) -> Iterator[str]:
    """Yield all problems of a plugin's declarations."""
    for each in declared:
        kind = type(each).__name__.lower()
        yield from (f"its {kind} {each.name!r}: {words}" for words in _wrong_types(each))
        if isinstance(each, Task) and each.name in RESERVED_COMMANDS:
            yield f"its task is called {each.name!r}, which is kept for a command of imgai itself; give it another name"
        yield from (f"its {kind} {each.name!r}: {words}" for words in _unfit_words(each))
        params = getattr(each, "params", None)
        if params is not None:
            yield from (f"{kind} {each.name!r}: {words}" for words in of_params(params))


def _unfit_words(declared: Declared) -> Iterator[str]:
    """Yield texts that do not fit into a list or a help page."""
    for field in ("summary", "license", "unit"):
        text = getattr(declared, field, None)
        if isinstance(text, str) and not text.isprintable():
            yield f"its {field} holds a line break or a control character: {text!r}"
        elif isinstance(text, str) and len(text) > _LONGEST:
            yield f"its {field} has {len(text)} characters, {_LONGEST} at most"
    if len(declared.name) > _LONGEST_NAME:
        yield f"its name has {len(declared.name)} characters, {_LONGEST_NAME} at most"
    for each in dataclasses.fields(declared):
        value = getattr(declared, each.name)
        if isinstance(value, int) and abs(value) >= _FARTHEST:
            yield f"its {each.name} is a number of more than 18 digits"
        texts = [text for text in (value if isinstance(value, tuple) else (value,)) if isinstance(text, str)]
        if each.name == "examples" and len(texts) > _MOST:
            yield f"it has {len(texts)} examples, {_MOST} at most"
        # Of all texts together first: there may be thousands of labels.
        if texts and (max(map(len, texts)) > _LONGEST or _unfit("".join(texts), sys.maxsize)):
            yield from (f"a text of its {each.name} {words}" for text in texts if (words := _unfit(text)))
    if isinstance(declared, Format):
        for name, head in _HEADS.items():
            if declared.name != name and any(re.match(magic, head, re.DOTALL) for magic in declared.magic):
                yield f"its magic is that of {name} files, too; let it tell its own files alone"


def _unfit(text: str, most: int = _LONGEST) -> str:
    """Why a text cannot be shown or written to a file; empty if it can."""
    if len(text) > most:
        return f"has {len(text)} characters, {most} at most"
    return "" if text.isascii() or not re.search("[\ud800-\udfff]", text) else f"holds half a character: {text!r}"


def of_params(params: type[Any]) -> Iterator[str]:
    """Yield what is wrong with the fields of a params dataclass, and how to change it."""
    fields = dataclasses.fields(params)
    if len(fields) > _MOST // 10:
        yield f"its params are {len(fields)}, {_MOST // 10} at most"
        return
    names = {field.name for field in fields}
    for field in fields:
        about = param_of(field)
        called = f"the param {field.name!r}"
        if not _FIELD.fullmatch(field.name):
            yield f"{called} is no name of an option; use lower-case words joined by underscores"
        if f"no_{field.name}" in names:
            yield f"{called} and 'no_{field.name}' are both --no-{field.name}; rename one of them"
        if about is None:
            yield f"{called} is not made by imgai.plugin.param(default, help)"
            continue
        if not isinstance(about.help, str) or not about.help.strip():
            yield f"{called} has no help; say in a sentence what it does"
        elif not about.help.isprintable():
            yield f"the help of {called} holds a line break or a control character"
        elif len(about.help) > _LONGEST:
            yield f"the help of {called} has {len(about.help)} characters, {_LONGEST} at most"
        if not isinstance(about.metavar, str | None):
            yield f"{called} has the metavar {about.metavar!r}, which is no text"
            return
        if about.metavar is not None and (words := _unfit(about.metavar)):
            yield f"the metavar of {called} {words}"
        for bound in (about.minimum, about.maximum):
            if bound is not None and (isinstance(bound, bool) or not isinstance(bound, (int, float))):
                yield f"{called} has the bound {bound!r}; a minimum and a maximum are numbers"
                return
            if isinstance(bound, int) and abs(bound) >= _FARTHEST:
                yield f"{called} has a bound of more than 18 digits"
                return
        if None not in (about.minimum, about.maximum) and about.minimum > about.maximum:  # type: ignore[operator]
            yield f"{called} has a minimum of {about.minimum} over its maximum of {about.maximum}"
        if about.choices is not None and not all(isinstance(choice, str) for choice in about.choices):
            yield f"{called} has choices that are no texts; only a str and a tuple[str, ...] have choices"
            return
        yield from _unfit_choices(called, about.choices or ())
    try:
        options = options_of(params)
    except Exception as error:  # an annotation that cannot be evaluated, or of an unsupported type
        text = words_of(error)
        hint = "a file is a str with param(..., file=True), one of some texts a str with choices"
        yield f"{text}; {hint}, several texts are a tuple[str, ...]"
        return
    for option in options:
        default = option.default
        if option.type is Path:
            yield f"the param {option.name!r} is a Path; a file is a str with param(..., file=True)"
        elif default is dataclasses.MISSING:
            yield f"the param {option.name!r} has no default; param(default, help) takes one"
        elif default is None and not _takes_none(params, option.name):
            yield f"the param {option.name!r} has the default None; annotate it with `{option.type.__name__} | None`"
        elif default is not None:
            yield from _wrong_default(option, default)
    if all(option.default is not dataclasses.MISSING for option in options) and (words := _unmade(params)):
        yield f"{params.__name__} cannot be made of its defaults: {words}"


def _unmade(params: type[Any]) -> str:
    """Why a dataclass of params refuses its own defaults; empty if it takes them."""
    try:
        params()
    except BaseException as error:
        if is_interrupt(error):
            raise
        return words_of(error) or type(error).__name__
    return ""


def _unfit_choices(called: str, choices: tuple[str, ...]) -> Iterator[str]:
    """Choices that nobody could tell apart, or give."""
    if len(choices) > _MOST:
        yield f"{called} has {len(choices)} choices, {_MOST} at most"
        return
    seen: set[str] = set()
    for choice in choices:
        if words := _unfit(choice):
            yield f"a choice of {called} {words}"
            return
        if choice in seen:
            yield f"{called} has the choice {choice!r} twice"
            return
        seen.add(choice)
        if "," in choice or not choice.isprintable() or choice != choice.strip():
            yield f"{called} has the choice {choice!r}; no choice holds a comma, or a space at its ends"
            return


def _wrong_default(option: Any, default: object) -> Iterator[str]:
    about = option.about
    for each in default if isinstance(default, tuple) else (default,):
        if isinstance(each, int) and abs(each) >= _FARTHEST:
            yield f"the param {option.name!r} has a default of more than 18 digits"
            return
        if isinstance(each, str) and (words := _unfit(each, _MOST)):
            yield f"the default of the param {option.name!r} {words}"
            return
    called = f"the param {option.name!r} has the default {default!r}"
    if isinstance(default, float) and not math.isfinite(default):
        yield f"{called}, which is no number that can be written"
        return
    if option.type is str and default == "" and about.choices is not None and "" not in about.choices:
        yield f"{called}, which is none of its choices; add it to them or take another"
        return
    if option.type is tuple and not isinstance(default, tuple):
        yield f"{called}, which is no tuple; write ({default!r},)"
        return
    if default == ():  # an empty tuple is always valid
        return
    try:
        check(option, default, there=False)
    except UsageError as error:
        yield f"{called}: {error}; take a default that it could be given"


def _takes_none(params: type[Any], name: str) -> bool:
    return type(None) in typing.get_args(typing.get_type_hints(params)[name])


def _wrong_types(declared: Declared) -> Iterator[str]:
    hints = _hints(type(declared))
    for field in dataclasses.fields(declared):
        value = getattr(declared, field.name)
        if not fits(value, hints[field.name]):
            words = _in_words(hints[field.name])
            hint = f"; write ({value!r},)" if isinstance(value, str) and "tuple" in words else ""
            yield f"{field.name} is {words}, not {value!r}{hint}"


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(of: type) -> dict[str, Any]:
    if of not in _HINTS:
        _HINTS[of] = typing.get_type_hints(of)
    return _HINTS[of]


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of an annotated type. A bool is not a number here."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (types.UnionType, typing.Union):
        return any(fits(value, each) for each in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if inner[-1] is ...:
            return all(fits(each, inner[0]) for each in value)
        return len(value) == len(inner) and all(map(fits, value, inner))
    if origin is type:
        return isinstance(value, type)
    kind = origin or hint
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _in_words(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    return text.replace("typing.", "").replace("imgai.plugin.", "").replace("<class '", "").replace("'>", "")
