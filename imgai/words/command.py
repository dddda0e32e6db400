"""Parse the arguments of a command by its options. Only this module uses Typer's parameters."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import typer.main

from imgai.console import shown as shown_text
from imgai.options import Machine, RunOptions
from imgai.params import Option, check, completion, options_of, picked, read, shown_default
from imgai.words.mistakes import mistake

Params = TypeVar("Params")

_WIDEST = 18  # characters of what stands after a flag in the help


@dataclass(frozen=True, slots=True)
class Given:
    """The parsed values of a command line.

    values: the checked values, by the names of the options; an option that nobody set is not among them.
    typed: the names of those that were typed; the others come from variables and files.
    """

    values: dict[str, Any] = field(default_factory=dict)
    typed: frozenset[str] = frozenset()

    def over(self, defaults: Mapping[str, Any]) -> Given:
        """The same with these values for what was not typed."""
        typed = {name: self.values[name] for name in self.typed}
        return dataclasses.replace(self, values={**self.values, **defaults, **typed})

    def of(self, params: type[Params], **others: object) -> Params:
        """An instance of the dataclass, with the values of its fields. others: values of further fields."""
        return picked(params, self.values, **others)


def run_options(params: type[Any] = RunOptions) -> list[Option]:
    """The options of a run. params: one of its dataclasses in `imgai.options`."""
    return [with_variable(each) for each in options_of(params, "Run")]


def machine_options() -> list[Option]:
    return [with_variable(each) for each in options_of(Machine, "Machine")]


def with_variable(option: Option, task: str = "") -> Option:
    """The option with its environment variable: ``IMGAI_DEVICE`` for every task, ``IMGAI_DENOISE_STRENGTH`` for one.

    One that files and variables cannot set stays without.
    """
    if option.traits.scope not in ("settings", "saved"):
        return option
    words = "_".join(part for part in ("IMGAI", task, option.key) if part)
    return dataclasses.replace(option, variable=words.upper().replace("-", "_"))


def parse(
    name: str, words: Sequence[str], options: Sequence[Option], settings: Mapping[str, Any] | None = None
) -> Given:
    """Parse the arguments of a command. Raises UsageError."""
    app = typer.Typer(add_completion=False)
    app.command(name)(function_of(options, lambda context: 0))
    try:
        context = typer.main.get_command(app).make_context(name, list(words))
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise mistake(error, f"imgai {name}") from None
    return given_of(context, options, settings or {})


def function_of(options: Sequence[Option], work: Callable[[typer.Context], int]) -> Callable[..., None]:
    """A function with the signature that Typer reads. work: what it does; returns the exit code."""

    # No option has a name that begins with an underscore; a plugin may call one "context".
    def command(_context: typer.Context, **values: object) -> None:
        raise typer.Exit(work(_context))

    of_context = inspect.Parameter("_context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [of_context, *map(_parameter, options)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def given_of(context: Any, options: Sequence[Option], settings: Mapping[str, Any]) -> Given:
    """The values that Typer parsed, checked, over those of the settings. Raises UsageError."""
    values, typed = {}, set()
    for each in options:
        value, source = context.params[each.name], context.get_parameter_source(each.name)
        if source is None or source.name.startswith("DEFAULT"):
            if each.name in settings:
                values[each.name] = check(each, settings[each.name])
            continue
        values[each.name] = read(each, value) if isinstance(value, str) else check(each, value)
        if source.name == "COMMANDLINE":
            typed.add(each.name)
    return Given(values, frozenset(typed))


def _parameter(option: Option) -> inspect.Parameter:
    """An option as Typer takes it. Text is read by `imgai.params`, so that errors have the same words everywhere."""
    about, traits = option.about, option.traits
    default: object = inspect.Parameter.empty if option.default is MISSING else _default(option)
    accepted: Any = {bool: bool, tuple: list[str], Path: Path}.get(option.type, str)
    accepted = accepted if option.default is MISSING else accepted | None
    if traits.argument:
        declared: Any = typer.Argument(help=shown_text(about.help), metavar=about.metavar, show_default=False)
    else:
        declared = typer.Option(
            *_flags(option),
            help=_help(option),
            rich_help_panel=option.panel or None,
            metavar=_metavar(option),
            show_default=traits.shown or traits.negatable or option.type is not bool,
            envvar=option.variable or None,
            show_envvar=False,
            hidden=traits.hidden,
            autocompletion=completion(option.suggested) if option.suggested else None,
        )
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[accepted, declared]
    )


def _default(option: Option) -> object:
    """Return the default as text, for ``--help``."""
    if option.type is bool:
        return option.default
    if isinstance(option.default, tuple):
        return [str(text) for text in option.default] or None
    return shown_default(option) or None if not option.traits.shown else None


def _flags(option: Option) -> list[str]:
    """``--as``; ``--keep-colors/--no-keep-colors`` for what a plugin declares, whose default may be yes."""
    flag = option.flag
    if option.type is bool and option.traits.negatable:
        flag = f"{flag}/--no-{option.key}"
    return [flag, option.traits.short] if option.traits.short else [flag]


def _help(option: Option) -> str:
    about = option.about
    text = f"{about.help} One of: {', '.join(about.choices)}." if about.choices else about.help
    return shown_text(text)


def _metavar(option: Option) -> str | None:
    """Return the placeholder after the flag in ``--help``: ``soft|hard``, ``<int 1..>``."""
    about = option.about
    if about.metavar:
        return about.metavar
    if about.choices:  # where they are too long for the column they would be cut within a word
        joined = "|".join(about.choices)
        return joined if len(joined) <= _WIDEST else option.key.upper()
    word = {int: "int", float: "float", str: "str", tuple: "str", Path: "path"}.get(option.type)
    if word is None:
        return None
    low, high = (("" if bound is None else f"{bound:g}") for bound in (about.minimum, about.maximum))
    return f"<{word} {low}..{high}>" if low or high else f"<{word}>"
