"""``imgai plugins``: what is installed, what it offers, and what is broken and why."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from imgai.cli.listing import show
from imgai.cli.settings import Settings
from imgai.discovery import Plugin
from imgai.registry import Registry


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command."""

    @app.command("plugins")
    def list_plugins(
        json_: Annotated[bool, typer.Option("--json", help="Print one plugin a line as JSON.")] = False,
    ) -> None:
        """List the plugins with version, distribution, tasks, models, kinds and formats, and what is broken and why."""
        if json_:
            for plugin in registry.plugins:
                typer.echo(json.dumps(_facts(plugin)))
            return
        if all(plugin.host for plugin in registry.plugins):
            typer.echo("no plugin is installed; try: pip install 'imgai[all]'", err=True)
            return
        _print_table(registry.plugins)


def _facts(plugin: Plugin) -> dict[str, object]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "official": plugin.official,
        "tasks": [task.name for task in plugin.tasks],
        "models": [f"{model.task}/{model.name}" for model in plugin.models],
        "kinds": [f"{kind.of.value}/{kind.name}" for kind in plugin.kinds],
        "formats": [format_.name for format_ in plugin.formats],
        "broken": plugin.broken or None,
    }


def _print_table(plugins: list[Plugin]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        *("plugin", "distribution", "version", "tasks", "models", "kinds", "formats", "state"),
        box=None,
        header_style="bold",
    )
    for plugin in plugins:
        table.add_row(
            escape(plugin.name),
            escape(plugin.distribution),
            escape(plugin.version),
            ", ".join(task.name for task in plugin.tasks) or "-",
            ", ".join(model.name for model in plugin.models) or "-",
            ", ".join(dict.fromkeys(kind.name for kind in plugin.kinds)) or "-",
            ", ".join(format_.name for format_ in plugin.formats) or "-",
            f"[red]broken:[/red] {escape(plugin.broken)}" if plugin.broken else "ok",
        )
    show(table)
