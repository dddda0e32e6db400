"""Configuration: imgai.toml of the user and of the folder, IMGAI_* variables, and ``imgai config``, which shows them.

What counts more comes later: the option's own default, the user's file, the folder's file, a variable, a flag.
"""

from __future__ import annotations

import inspect
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from imgai.cli.options import machine_options, options_of, run_options
from imgai.cli.recipe import Reader, read_toml
from imgai.cli.steps import flag_of, step_parameters
from imgai.errors import UsageError
from imgai.registry import Registry

NAME = "imgai.toml"
NOT_IN_CONFIGURATION = ("inputs", "model", "out", "force", "dry_run", "null", "json_", "watch")
"""Options of a run that are of one occasion."""
OF_EVERY = "every task"


@dataclass(slots=True)
class Configuration:
    """The values that files set, by task (OF_EVERY for all of them) and by the parameters' names; and whence."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[tuple[str, str], str] = field(default_factory=dict)

    def default_map(self, registry: Registry) -> dict[str, dict[str, Any]]:
        """The same as the command line's parser takes it: by command."""
        common = self.values.get(OF_EVERY, {})
        found: dict[str, dict[str, Any]] = {name: {**common, **self.values.get(name, {})} for name in registry.tasks}
        return found | {"chain": dict(common), "run": dict(common), "evaluate": dict(found)}


def files() -> list[Path]:
    """The files that are read if they are there, the one that counts more last."""
    import platformdirs

    return [platformdirs.user_config_path("imgai") / NAME, Path(NAME)]


def load(registry: Registry) -> Configuration:
    """Read the files, and give the registry what they set of each task.

    Raises UsageError with a line for each thing that is wrong: the file, the line, what, and the nearest name.
    """
    found = Configuration()
    for path in files():
        if path.is_file():
            _read(path, registry, found)
    registry.defaults = {name: dict(values) for name, values in found.values.items() if name in registry.tasks}
    return found


def _read(path: Path, registry: Registry, found: Configuration) -> None:
    text, content = read_toml(path, str(path))
    reader = Reader(path, text, registry)
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    common = {name: value for name, value in content.items() if name not in tables}
    for name in tables:
        if name not in registry.tasks:
            try:
                registry.task(name)
            except UsageError as error:
                reader.complain(name, None, str(error))
    parts = [("", OF_EVERY, common, common_parameters())]
    parts += [
        (name, name, tables[name], step_parameters(task, registry))
        for name, task in registry.tasks.items()
        if name in tables
    ]
    for where, name, table, parameters in parts:
        for option, value in reader.options(where, table, parameters).items():
            found.values.setdefault(name, {})[option] = value
            flag = next(flag_of(parameter) for parameter in parameters if parameter.name == option)
            found.sources[name, option] = f"{path}:{reader.lines.get((where, flag), 1)}"
    reader.check()


def common_parameters() -> list[inspect.Parameter]:
    """The options that every task's command has and that are not of one occasion."""
    options = [*options_of(run_options), *options_of(machine_options)]
    return [option for option in options if option.name not in NOT_IN_CONFIGURATION]


def variable_of(flag: str, task: str = "") -> str:
    """The environment variable of an option: ``IMGAI_DEVICE``, ``IMGAI_DENOISE_STRENGTH``."""
    return "_".join(part for part in ("IMGAI", task, flag) if part).upper().replace("-", "_")


def with_variables(parameters: list[inspect.Parameter], task: str = "") -> list[inspect.Parameter]:
    """The options, each with its environment variable: of every task's, or of this task's alone."""
    common = {option.name for option in common_parameters()}
    for parameter in parameters:
        option = parameter.annotation.__metadata__[0] if hasattr(parameter.annotation, "__metadata__") else None
        if option is None or not hasattr(option, "envvar") or parameter.name in NOT_IN_CONFIGURATION[:1]:
            continue
        if parameter.name in common:
            option.envvar, option.show_envvar = variable_of(flag_of(parameter)), False
        elif (task and parameter.name not in NOT_IN_CONFIGURATION) or parameter.name == "model":
            option.envvar, option.show_envvar = variable_of(flag_of(parameter), task), False
    return parameters


def add(app: typer.Typer, registry: Registry, configuration: Configuration) -> None:
    """Add ``imgai config``."""

    @app.command("config", short_help="Each setting, and where it comes from.", rich_help_panel="About")
    def config(
        json_: Annotated[bool, typer.Option("--json", help="Print a list on stdout.")] = False,
    ) -> None:
        """Show the settings of every task, those of single tasks that something sets, and where each comes from."""
        rows = settings(registry, configuration)
        if json_:
            typer.echo(json.dumps(rows, indent=2))
            return
        for row in rows:
            name = row["option"] if row["task"] is None else f"{row['task']} {row['option']}"
            typer.echo(f"{name:28} {_shown(row['value']):20} {row['source']}")
        read = ", ".join(str(path) for path in files() if path.is_file()) or "none"
        typer.echo(f"\nfiles read: {read}; looked for: {', '.join(map(str, files()))}", err=True)


def settings(registry: Registry, configuration: Configuration) -> list[dict[str, Any]]:
    """Each setting: task (None for those of every task), option, value, source."""
    rows = []
    for parameter in common_parameters():
        rows.append(_row(None, OF_EVERY, parameter, variable_of(flag_of(parameter)), configuration))
    for name, task in registry.tasks.items():
        for parameter in step_parameters(task, registry):
            row = _row(name, name, parameter, variable_of(flag_of(parameter), name), configuration)
            if row["source"] != "default":
                rows.append(row)
    return rows


def _row(
    task: str | None, name: str, parameter: inspect.Parameter, variable: str, configuration: Configuration
) -> dict[str, Any]:
    if os.environ.get(variable):
        value, source = os.environ[variable], variable
    elif (name, parameter.name) in configuration.sources:
        value, source = configuration.values[name][parameter.name], configuration.sources[name, parameter.name]
    else:
        value, source = parameter.default, "default"
    value = str(value) if isinstance(value, Path) else value
    return {"task": task, "option": f"--{flag_of(parameter)}", "value": value, "source": source}


def _shown(value: Any) -> str:
    if value is None:
        return "(chosen)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
