"""``imgai config``: each setting, and where it comes from."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from imgai.cli.configuration import OF_EVERY, Configuration, files, load
from imgai.cli.settings import common_parameters, variable_of
from imgai.cli.steps import flag_of, step_parameters
from imgai.registry import Registry


def add(app: typer.Typer, registry: Registry) -> None:
    """Add the command."""

    @app.command("config")
    def config(
        json_: Annotated[bool, typer.Option("--json", help="Print a list on stdout.")] = False,
    ) -> None:
        """Show the settings of every task, those of single tasks that something sets, and where each comes from."""
        rows = settings(registry, load(registry))
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
