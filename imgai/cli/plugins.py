"""``imgai plugins``: list, inspect, create, check and install plugins."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from imgai.cli.command import exit_code
from imgai.cli.listing import show
from imgai.cli.making import add_making
from imgai.cli.settings import Settings
from imgai.discovery import Plugin
from imgai.errors import EXIT_FAILED, EXIT_OK, UsageError
from imgai.registry import Registry

_JSON = typer.Option("--json", help="Print it as JSON, one line each.")


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command and its sub-commands."""
    plugins = typer.Typer(help="List the plugins, look at one, or make one.", invoke_without_command=True)
    app.add_typer(plugins, name="plugins")

    @plugins.callback()
    def list_plugins(context: typer.Context, json_: Annotated[bool, _JSON] = False) -> None:
        """List installed plugins with version, distribution and declarations, and broken ones with the reason."""
        if context.invoked_subcommand is None:
            _list(registry, json_)

    @plugins.command("info")
    def info(
        name: Annotated[str, typer.Argument(help="A plugin or its distribution, as imgai plugins lists them.")],
        json_: Annotated[bool, _JSON] = False,
    ) -> None:
        """Show the details of a plugin: load time, imports, requirements, declarations."""
        raise typer.Exit(exit_code(lambda: _info(registry, name, json_)))

    add_making(plugins, registry, find)

    @plugins.command("doctor")
    def doctor(json_: Annotated[bool, _JSON] = False) -> None:
        """Look for problems with plugins: broken ones, heavy imports, missing requirements."""
        raise typer.Exit(exit_code(lambda: _doctor(registry, json_)))


def _list(registry: Registry, as_json: bool) -> None:
    if as_json:
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


def find(registry: Registry, name: str) -> Plugin:
    """The plugin of that name, or of that distribution. Raises UsageError that names those there are."""
    wanted = name.lower().replace("_", "-")
    matching = [each for each in registry.plugins if wanted in (each.name.lower(), each.distribution)]
    if not matching:
        names = ", ".join(each.name for each in registry.plugins if not each.host)
        raise UsageError(f"no plugin is called {name!r}", f"there is {names or 'none'}")
    return matching[0]


def _looked_at(plugin: Plugin) -> dict[str, Any]:
    """The details that `info` and `doctor` show: declarations, and the effects of importing the plugin."""
    from imgai.imports import measure
    from imgai.plugin import API_VERSION

    about = {**_facts(plugin), "module": plugin.module, "api": API_VERSION, "unmet": _unmet(plugin)}
    if plugin.host or not plugin.module or plugin.broken.startswith("it is made for plugin API"):
        return {**about, "seconds": None, "slow": False, "heavy": [], "prints": "", "changes": []}
    seen = measure(plugin.module.partition(":")[0])
    return {
        **about,
        "seconds": round(seen.seconds, 4),
        "slow": seen.slow,
        "heavy": list(seen.heavy),
        "prints": seen.printed,
        "changes": list(seen.changed),
    }


def _unmet(plugin: Plugin) -> list[str]:
    from importlib.metadata import PackageNotFoundError, requires

    from imgai.requirements import unmet

    try:
        return unmet(requires(plugin.distribution) or [])
    except PackageNotFoundError:
        return []


def _problems(about: dict[str, Any]) -> list[str]:
    """Return the problems of a plugin, one per line."""
    problems = [about["broken"]] if about["broken"] else []
    problems += [words for words in about["unmet"] if words not in (about["broken"] or "")]
    if about["heavy"]:
        problems.append(f"every command imports {', '.join(about['heavy'])} because of it")
    if about["slow"]:
        problems.append(f"every command waits {about['seconds']:.2f} s for it")
    if about["prints"]:
        problems.append(f"it prints {about['prints'].splitlines()[0][:80]!r} while it is imported")
    problems += [f"it changes {what} while it is imported" for what in about["changes"]]
    return problems


def _info(registry: Registry, name: str, as_json: bool) -> int:
    about = _looked_at(find(registry, name))
    about["problems"] = _problems(about)
    if as_json:
        typer.echo(json.dumps(about))
        return EXIT_OK
    for key, value in about.items():
        words = ", ".join(map(str, value)) if isinstance(value, list) else value
        if words not in (None, ""):
            typer.echo(f"{key:13} {words}")
    return EXIT_OK


def _doctor(registry: Registry, as_json: bool) -> int:
    unsound = False
    for plugin in registry.plugins:
        if plugin.host:
            continue
        about = _looked_at(plugin)
        problems = about["problems"] = _problems(about)
        unsound = unsound or bool(problems)
        if as_json:
            typer.echo(json.dumps(about))
            continue
        seconds = "" if about["seconds"] is None else f", {1000 * about['seconds']:.0f} ms to import"
        typer.echo(f"{plugin.distribution} {plugin.version}: {'; '.join(problems) or 'sound'}{seconds}")
    return EXIT_FAILED if unsound else EXIT_OK


def _print_table(plugins: list[Plugin]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        *("plugin", "distribution", "version", "tasks", "models", "kinds", "formats", "state"),
        box=None,
        header_style="bold",
    )
    for plugin in plugins:
        table.add_row(
            plugin.name,
            plugin.distribution,
            plugin.version,
            ", ".join(task.name for task in plugin.tasks) or "-",
            ", ".join(model.name for model in plugin.models) or "-",
            ", ".join(dict.fromkeys(kind.name for kind in plugin.kinds)) or "-",
            ", ".join(format_.name for format_ in plugin.formats) or "-",
            Text.assemble(("broken:", "red"), f" {plugin.broken}") if plugin.broken else "ok",
        )
    show(table, spare=("distribution", "formats", "kinds"))
