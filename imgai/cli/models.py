"""``imgai models``: list models, with the licence, size and location of their weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import Annotated

import typer

from imgai import trained
from imgai.cli.command import exit_code
from imgai.cli.export import add_export
from imgai.cli.listing import show
from imgai.cli.settings import Settings
from imgai.cli.show import describe, find_models, megabytes, millions, print_facts
from imgai.cli.zoo import add_zoo, remove_fetched, unfetched
from imgai.errors import EXIT_OK, PluginError, UsageError
from imgai.params import completion
from imgai.registry import Registry


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command and its sub-commands."""
    models = typer.Typer(help="List the models, or show one.", invoke_without_command=True)
    app.add_typer(models, name="models")

    @models.callback()
    def list_models(
        context: typer.Context,
        json_: Annotated[bool, typer.Option("--json", help="Print one model a line as JSON.")] = False,
    ) -> None:
        """List the models of every task, or show one with: imgai models info NAME."""
        if context.invoked_subcommand is None:
            _list(registry, json_)

    @models.command("info")
    def info(
        name: str = typer.Argument(
            help="A model, as subject or segment/subject, or the path of a file.",
            autocompletion=completion(_names(registry)),
        ),
        json_: Annotated[bool, typer.Option("--json", help="Print it as one line of JSON.")] = False,
    ) -> None:
        """Show the details of a model: licence, size, parameters, location of the weights, options."""
        raise typer.Exit(_info(registry, name, json_))

    @models.command("remove")
    def remove(
        name: Annotated[str, typer.Argument(help="A model that you have trained, fetched or imported.")],
    ) -> None:
        """Delete a trained model with all files of its training, or a downloaded or imported model."""
        raise typer.Exit(exit_code(lambda: _remove(registry, name)))

    add_export(models, registry)
    add_zoo(models, registry)


def _names(registry: Registry) -> list[str]:
    """Return the arguments of ``models info``: names of models, with their task if ambiguous."""
    models = registry.models()
    several = {each.name for each in models if sum(other.name == each.name for other in models) > 1}
    named = {f"{each.task}/{each.name}" if each.name in several else each.name for each in models}
    return sorted(named | {each.family for each in models if each.family})


def _remove(registry: Registry, name: str) -> int:
    path = trained.find(name)
    if path is None and remove_fetched(name):
        return EXIT_OK
    if path is None:
        owners = [registry.owner(model).distribution for model in registry.models() if model.name == name]
        if owners:
            raise UsageError(f"{name} is a model of {owners[0]}", f"pip uninstall {owners[0]} takes away all of it")
        names = [own.stem for own in trained.files()]
        hint = f"there is {', '.join(names)}" if names else f"{trained.folder()} holds none"
        raise UsageError(f"you have trained no model called {name!r}", hint)
    if path.parent == trained.folder():
        path.unlink()
    else:
        shutil.rmtree(path.parent)
    typer.echo(f"removed {path}", err=True)
    return EXIT_OK


def _info(registry: Registry, name: str, as_json: bool) -> int:
    if (entry := unfetched(registry, name)) is not None:
        facts = {**asdict(entry), "path": str(entry.path)}
        typer.echo(
            json.dumps(facts) if as_json else "\n".join(f"{key:13} {value}" for key, value in facts.items() if value)
        )
        return EXIT_OK
    for model in find_models(registry, name):
        facts = describe(registry, model)
        if as_json:
            typer.echo(json.dumps(facts))
        else:
            print_facts(facts, model)
    return 0


def _list(registry: Registry, as_json: bool) -> None:
    models, own = registry.models(), registry.trained()
    models += [model for model in own if not isinstance(model, PluginError)]
    for error in own:
        if isinstance(error, PluginError):
            typer.echo(f"warning: {error}", err=True)
    if as_json:
        for model in models:
            typer.echo(json.dumps(describe(registry, model)))
        return
    if not models:
        typer.echo("no models: no plugin is installed; try: pip install 'imgai[all]'", err=True)
        return
    from rich.table import Column, Table

    weights = Column("weights", no_wrap=True)
    table = Table(*("task", "model", "what it is for", "licence", "parameters", weights), box=None, header_style="bold")
    for model in models:
        default = registry.task(model.task).default_model in (model.name, model.family)
        table.add_row(
            model.task,
            model.name + (" *" if default else ""),
            model.summary,
            model.license,
            millions(model.parameters),
            megabytes(model.weights.size) if model.weights else "to be trained" if model.untrained else "none",
        )
    note = "* the task's default (of a family, what the size needs); more about one: imgai models info NAME"
    show(table, note, spare=("parameters", "licence"))
