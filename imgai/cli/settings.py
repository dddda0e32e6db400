"""The options that files and variables can set: reading them from imgai.toml, and their IMGAI_* variables."""

from __future__ import annotations

import inspect
from pathlib import Path

from imgai.cli.configuration import OF_EVERY, Configuration
from imgai.cli.options import machine_options, options_of, run_options
from imgai.cli.recipe import Reader, read_toml
from imgai.cli.steps import flag_of, step_parameters
from imgai.errors import UsageError
from imgai.registry import Registry

NOT_IN_CONFIGURATION = ("inputs", "model", "out", "force", "dry_run", "null", "json_", "watch")
"""Options of a run that are of one occasion."""


def read(path: Path, registry: Registry, found: Configuration) -> None:
    """Add what one file sets. Raises UsageError for all that is wrong in it."""
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
