"""Recipes: the steps of a chain in a TOML file, with defaults for the run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgai.errors import UsageError
from imgai.options import Machine, RunOptions
from imgai.params import Option, options_of, plain
from imgai.plugin import Task
from imgai.registry import Registry
from imgai.words.steps import Asked, outputs_of, spec_of, step_options
from imgai.words.toml import TomlFile, nearest

RUN, STEPS = "run", "steps"
_STEP_ALONE = ("task", "keep")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe, read and checked.

    keep: the names of the steps whose masks are kept. defaults: the values of the run's options that it sets.
    """

    steps: list[Asked] = field(default_factory=list)
    keep: list[str] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)


def run_options() -> list[Option]:
    """The options of a run that a recipe may set."""
    return [each for each in (*options_of(RunOptions), *options_of(Machine)) if each.traits.scope != "typed"]


SHIPPED = Path(__file__).parents[1] / "recipes"


def folders() -> list[Path]:
    """The folders of named recipes: the user's, then those that come with imgai."""
    import platformdirs

    try:
        own = platformdirs.user_config_path("imgai")
    except RuntimeError:
        return [SHIPPED]
    return [own, SHIPPED] if own.is_absolute() else [SHIPPED]


def named_recipes() -> dict[str, Path]:
    """Return the named recipes."""
    recipes: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
            if path.name != "imgai.toml":
                recipes.setdefault(path.stem, path)
    return recipes


def find_recipe(name: str) -> Path:
    """The file of a recipe: a path, or a name without a suffix. Raises UsageError for a name that there is not."""
    path = Path(name)
    if path.suffix or path.name != name or path.is_file():
        return path
    known = named_recipes()
    if name not in known:
        raise UsageError(f"no recipe is called {name!r}", nearest(name, known))
    return known[name]


def summary_of(path: Path) -> str:
    """Return the description of a recipe: the comment in its first line."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        line = file.readline(1000).strip()
    return line.lstrip("# ") if line.startswith("#") else ""


def read_recipe(path: Path, registry: Registry) -> Recipe:
    """Read and check a recipe, all of it.

    Raises UsageError with a line for each thing that is wrong: the file, the line, what, and the nearest name.
    """
    file = TomlFile(path, f"the recipe {path}")
    for name in file.content.keys() - {RUN, STEPS}:
        file.complain(name, None, f"there is no {name!r} in a recipe", nearest(name, (RUN, STEPS)))
    recipe = Recipe(defaults=file.values(RUN, file.content.get(RUN, {}), run_options()))
    tables = file.content.get(STEPS, [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        file.complain(STEPS, None, "a recipe has steps, each under [[steps]]", 'add [[steps]] and task = "..."')
        tables = []
    for index, table in enumerate(tables):
        _read_step(file, index, table, recipe, registry)
    file.check()
    return recipe


def write_recipe(steps: Iterable[tuple[str, Mapping[str, object], bool]], defaults: Mapping[str, object]) -> str:
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


def _read_step(file: TomlFile, index: int, table: dict[str, Any], recipe: Recipe, registry: Registry) -> None:
    where = f"{STEPS}.{index}"
    name, keep = table.get("task"), table.get("keep", False)
    if not isinstance(name, str):
        problem = f"task is a text, not {name!r}" if "task" in table else f"the step {index + 1} names no task"
        file.complain(where, "task" if "task" in table else None, problem, f"it is one of {', '.join(registry.tasks)}")
        return
    try:
        task = registry.task(name)
    except UsageError as error:
        file.complain(where, "task", error.message, error.hint)
        return
    if not isinstance(keep, bool):
        file.complain(where, "keep", f"keep is true or false, not {keep!r}")
    own = {key: value for key, value in table.items() if key not in _STEP_ALONE}
    options = step_options(task, registry)
    values = file.values(where, own, options)
    step = Asked(task, values, frozenset(values), _as_typed(task, options, values))
    if len(values) == len(own):
        _check_together(file, where, step, registry)
    earlier = sum(other.task.name == task.name for other in recipe.steps)
    if keep:
        recipe.keep.append(f"{task.name}-{earlier + 1}" if earlier else task.name)
    recipe.steps.append(step)


def _check_together(file: TomlFile, where: str, step: Asked, registry: Registry) -> None:
    """Report options that are valid individually but incompatible."""
    try:
        spec_of(step, registry)
        outputs_of(step, registry, Path("labels.csv"))  # where labels go is the run's
    except UsageError as error:
        keys = [each.key for each in step_options(step.task, registry) if each.name in step.values]
        named = [key for key in keys if re.search(rf"--{key}(?![\w-])", error.message)]
        file.complain(where, named[0] if named else "model" if "model" in keys else "task", error.message, error.hint)


def _as_typed(task: Task, options: Iterable[Option], values: Mapping[str, Any]) -> str:
    """A step as it would be typed, for errors."""
    words = [task.name]
    for each in options:
        value = plain(each, values.get(each.name))
        if isinstance(value, bool):
            words += [each.flag] if value else []
        elif value is not None:
            words.append(f"{each.flag}={','.join(value) if isinstance(value, list) else value}")
    return shlex.join(words)


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else json.dumps(name)


def _value(value: object) -> str:
    """Write a value in TOML, whose basic strings are those of JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, (int, float)):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
