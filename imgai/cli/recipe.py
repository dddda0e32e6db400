"""Recipes: the steps of a chain in a TOML file, with defaults for the run."""

from __future__ import annotations

import difflib
import inspect
import json
import re
import shlex
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
import typer.main

from imgai.cli.options import machine_options, options_of, run_options
from imgai.cli.steps import declared_flags, flag_of, parse_words, step_parameters
from imgai.errors import UsageError
from imgai.params import fields_of
from imgai.plugin import NoParams, Task
from imgai.registry import Registry

RUN, STEPS = "run", "steps"
NOT_IN_RECIPES = ("inputs", "model", "dry_run")
"""Options of a run that are of one occasion."""
_STEP_ALONE = ("task", "keep")
_HEADER = re.compile(r"\s*\[\[?\s*([\w-]+)\s*\]\]?")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that was read and found right.

    steps: tasks with the values of all of their options; texts: how each would be typed; keep: the names of the steps
    whose masks are kept. defaults: the values of the run's options that it sets.
    """

    steps: list[tuple[Task, dict[str, Any]]]
    texts: list[str]
    keep: list[str]
    defaults: dict[str, Any] = field(default_factory=dict)


def read_recipe(path: Path, registry: Registry) -> Recipe:
    """Read and check a recipe, all of it.

    Raises UsageError with a line for each thing that is wrong: the file, the line, what, and the nearest name.
    """
    text, content = read_toml(path, f"the recipe {path}")
    return Reader(path, text, registry).read(content)


def read_toml(path: Path, called: str) -> tuple[str, dict[str, Any]]:
    """A TOML file's text, and what is in it. Raises UsageError with the line that is wrong."""
    import tomllib  # here, because few commands need it

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{called} cannot be read: {error}", "name a TOML file") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise UsageError(
            f"{path}:{line[1] if line else _lines(text)}: no valid TOML: {str(error).split(' (at')[0]}",
            "mend that line",
        ) from error


def run_parameters() -> list[inspect.Parameter]:
    """The options of a run that a recipe may set."""
    options = [*options_of(run_options), *options_of(machine_options)]
    return [option for option in options if option.name not in NOT_IN_RECIPES]


def write_recipe(steps: Iterable[tuple[str, Mapping[str, Any], bool]], defaults: Mapping[str, Any]) -> str:
    """A recipe as text.

    steps: the name of each task, the options given, and whether what it finds is kept.
    """
    lines = ["# imgai run this-file.toml INPUTS... --out FOLDER"]
    if defaults:
        lines += ["", f"[{RUN}]", *(f"{_bare(name)} = {_value(value)}" for name, value in defaults.items())]
    for name, options, keep in steps:
        lines += ["", f"[[{STEPS}]]", f"task = {_value(name)}"]
        lines += [f"{_bare(option)} = {_value(value)}" for option, value in options.items()]
        lines += ["keep = true"] if keep else []
    return "\n".join(lines) + "\n"


class Reader:
    """Reads the options in one TOML file, and remembers what is wrong with it."""

    def __init__(self, path: Path, text: str, registry: Registry) -> None:
        self.path = path
        self.registry = registry
        self.lines = _places(text)
        self.wrong: list[tuple[int, str]] = []

    def read(self, content: dict[str, Any]) -> Recipe:
        for name in content.keys() - {RUN, STEPS}:
            self.complain(name, None, f"there is no {name!r} in a recipe", _near(name, (RUN, STEPS)))
        recipe = Recipe([], [], [], self.options(RUN, content.get(RUN, {}), run_parameters()))
        tables = content.get(STEPS, [])
        if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
            self.complain(STEPS, None, "a recipe has steps, each under [[steps]]", 'add [[steps]] and task = "..."')
            tables = []
        for index, table in enumerate(tables):
            self._step(index, table, recipe)
        self.check()
        return recipe

    def check(self) -> None:
        """Raise UsageError for all that was found wrong."""
        if self.wrong:
            first, *more = (f"{self.path}:{line}: {words}" for line, words in sorted(self.wrong))
            raise UsageError(first, more=more)

    def options(self, where: str, table: Any, parameters: list[inspect.Parameter]) -> dict[str, Any]:
        """The values of a table's options, by the parameters' names."""
        if not isinstance(table, dict):
            self.complain(where, None, f"[{where}] is a table", f"write [{where}] and options below it")
            return {}
        words, names = self._words(where, table, parameters), {flag_of(option): option.name for option in parameters}

        def command(**values: Any) -> None:
            pass

        relaxed = [option.replace(default=None) if option.name == "out" else option for option in parameters]
        command.__signature__ = inspect.Signature(relaxed)  # type: ignore[attr-defined]
        command.__annotations__ = {option.name: option.annotation for option in relaxed}
        app = typer.Typer(add_completion=False)
        app.command("run")(command)
        try:
            context = typer.main.get_command(app).make_context("run", words)
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            self.complain(where, self._named_in(error.format_message(), table), error.format_message())
            return {}
        return {names[key]: context.params[names[key]] for key in table if key in names}

    def _step(self, index: int, table: dict[str, Any], recipe: Recipe) -> None:
        where = f"{STEPS}.{index}"
        name = table.get("task")
        if not isinstance(name, str):
            problem = f"task is a text, not {name!r}" if "task" in table else f"the step {index + 1} names no task"
            self.complain(where, "task" if "task" in table else None, problem, f"it is one of {_some(self.registry)}")
            return
        try:
            task = self.registry.task(name)
        except UsageError as error:
            self.complain(where, "task", str(error))
            return
        options = {key: value for key, value in table.items() if key not in _STEP_ALONE}
        before = len(self.wrong)
        words = [name, *self._words(where, self._beside(task, options), step_parameters(task, self.registry))]
        keep = table.get("keep", False)
        if not isinstance(keep, bool):
            self.complain(where, "keep", f"keep is true or false, not {keep!r}")
        if len(self.wrong) > before:
            return
        text = shlex.join(words)
        try:
            _, values, _ = parse_words(words, text, self.registry)
        except UsageError as error:
            message = error.message.removeprefix(f"the step {text!r}: ")
            self.complain(where, self._named_in(message, options) or "task", message, error.hint)
            return
        earlier = sum(other.name == task.name for other, _ in recipe.steps)
        if keep:
            recipe.keep.append(f"{task.name}-{earlier + 1}" if earlier else task.name)
        recipe.steps.append((task, values))
        recipe.texts.append(text)

    def _beside(self, task: Task, options: dict[str, Any]) -> dict[str, Any]:
        """Files that options name are looked for beside the recipe first."""
        found = dict(options)
        models = self.registry.models(task.name)
        for params in (task.params, *(model.params or NoParams for model in models)):
            for field_, _, about in fields_of(params):
                flag = field_.name.replace("_", "-")
                if about.file and isinstance(found.get(flag), str):
                    beside = self.path.parent / found[flag]
                    found[flag] = str(beside) if beside.is_file() else found[flag]
        return found

    def _words(self, where: str, table: dict[str, Any], parameters: list[inspect.Parameter]) -> list[str]:
        """A table as the words of a command line."""
        known = {flag_of(parameter): parameter for parameter in parameters}
        words = []
        for key, value in table.items():
            if key not in known:
                plain = key.replace("_", "-")
                hint = f"write {plain}" if plain in known else _near(key, known)
                self.complain(where, key, f"there is no option {key!r}", hint)
                continue
            is_flag = bool in typing.get_args(known[key].annotation)[:1] or _is_switch(known[key])
            if is_flag != isinstance(value, bool):
                takes = "true or false" if is_flag else "a value"
                self.complain(where, key, f"{key} takes {takes}, not {_value(value)}")
                continue
            if isinstance(value, bool):
                words += [f"--{key}"] if value else [f"--no-{key}"] if _is_switch(known[key]) else []
                continue
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, bool) or not isinstance(each, (str, int, float)):
                    self.complain(where, key, f"{key} takes texts or numbers, not {_value(each)}")
                    continue
                words.append(f"--{key}={each}")
        return words

    def _named_in(self, message: str, table: Mapping[str, Any]) -> str | None:
        return next((key for key in table if f"--{key}" in message), None)

    def complain(self, where: str, key: str | None, words: str, hint: str = "") -> None:
        """Remember what is wrong with a key of a table."""
        line = self.lines.get((where, key)) or self.lines.get((where, None)) or self.lines.get(("", where)) or 1
        self.wrong.append((line, f"{words}; {hint}" if hint else words))


def _is_switch(parameter: inspect.Parameter) -> bool:
    """Whether an option is two: ``--keep-colors/--no-keep-colors``."""
    return any("/" in flag for flag in declared_flags(parameter))


def _places(text: str) -> dict[tuple[str, str | None], int]:
    """The line of each table and key. tomllib does not tell, so that lines are looked at one by one."""
    found: dict[tuple[str, str | None], int] = {}
    where, steps = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            where = header[1]
            if where == STEPS:
                where, steps = f"{STEPS}.{steps}", steps + 1
            found.setdefault((where, None), number)
        elif key := _KEY.match(line):
            found.setdefault((where, key[1]), number)
    return found


def _near(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"there is {', '.join(names)}"


def _some(registry: Registry) -> str:
    return ", ".join(registry.tasks)


def _lines(text: str) -> int:
    return text.count("\n") + 1


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else json.dumps(name)


def _value(value: Any) -> str:
    """A value as TOML has it; its basic strings are those of JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, (int, float)):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
