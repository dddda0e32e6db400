"""``imgai config``: show settings and their sources."""

from __future__ import annotations

import json
import os
from dataclasses import MISSING
from typing import Annotated, Any

import typer

from imgai.cli.settings import OF_EVERY, Settings, common_options, files
from imgai.console import printable
from imgai.params import Option, plain, shown
from imgai.registry import Registry
from imgai.words.steps import step_options


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command."""

    @app.command("config")
    def config(
        json_: Annotated[bool, typer.Option("--json", help="Print a list on stdout.")] = False,
    ) -> None:
        """Show the settings of all tasks, those set for single tasks, and the source of each."""
        listed = rows(registry, settings)
        if json_:
            typer.echo(json.dumps([{name: row[name] for name in _COLUMNS} for row in listed], indent=2))
            return
        for row in listed:
            name = row["option"] if row["task"] is None else f"{row['task']} {row['option']}"
            typer.echo(printable(f"{name:28} {row['shown']:20} {row['source']}"))
        read = ", ".join(str(path) for path in files() if path.is_file()) or "none"
        typer.echo(printable(f"files read: {read}; looked for: {', '.join(map(str, files()))}"), err=True)


_COLUMNS = ("task", "option", "value", "source")


def rows(registry: Registry, settings: Settings) -> list[dict[str, Any]]:
    """Each setting: task (None for those of every task), option, value, shown (the value in words), source."""
    listed = [_row(OF_EVERY, option, settings) for option in common_options() if not option.traits.hidden]
    for name, task in registry.tasks.items():
        of_task = [_row(name, option, settings) for option in step_options(task, registry)]
        listed += [row for row in of_task if row["source"] != "default"]
    return listed


def _row(task: str, option: Option, settings: Settings) -> dict[str, Any]:
    value, source = option.default, "default"
    if os.environ.get(option.variable):
        value, source = os.environ[option.variable], option.variable
    elif (task, option.name) in settings.sources:
        value, source = settings.values[task][option.name], settings.sources[task, option.name]
    value = None if value is MISSING else value
    words = "not set" if value is None else shown(option, value)
    value = plain(option, value)
    return {"task": task or None, "option": option.flag, "value": value, "shown": words, "source": source}
