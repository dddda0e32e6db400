"""``imgai models``: what there is to choose from, with licence, size and place of the weights."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from imgai.cli.settings import Settings
from imgai.errors import UsageError
from imgai.params import as_table
from imgai.plugin import Model, Weights
from imgai.registry import Registry


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command and its sub-command ``info``."""
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
        name: Annotated[str, typer.Argument(help="A model, as subject or segment/subject.")],
        json_: Annotated[bool, typer.Option("--json", help="Print it as one line of JSON.")] = False,
    ) -> None:
        """Show all that a model declares: licence, size, parameters, place of the weights, options."""
        for model in _find(registry, name):
            facts = describe(registry, model)
            if json_:
                typer.echo(json.dumps(facts))
            else:
                _print_facts(facts, model)


def describe(registry: Registry, model: Model) -> dict[str, Any]:
    """Everything about one model, in words and numbers that JSON can hold."""
    weights = model.weights
    plugin = registry.owner(model)
    return {
        "name": model.name,
        "task": model.task,
        "family": model.family,
        "default": registry.task(model.task).default_model in (model.name, model.family),
        "summary": model.summary,
        "license": model.license,
        "parameters": model.parameters,
        "labels": list(model.labels or ()),
        "input": f"{model.input_size[1]}x{model.input_size[0]}" if model.input_size else f"tiles of {model.tile}",
        "scale": model.scale,
        "weights": None if weights is None else _describe_weights(weights),
        "plugin": f"{plugin.distribution} {plugin.version}",
    }


def _describe_weights(weights: Weights) -> dict[str, Any]:
    path = _place(weights)
    return {
        "file": weights.file,
        "path": None if path is None else str(path),
        "size": weights.size,
        "sha256": weights.sha256,
        "license": weights.license,
        "data": weights.data,
    }


def _place(weights: Weights) -> Path | None:
    from imgai.predict.weights import location

    return location(weights)


def _find(registry: Registry, name: str) -> tuple[Model, ...]:
    """The model of that name, or the members of the family of that name."""
    if "/" in name:
        task, _, model = name.partition("/")
        return registry.members(task, model)
    tasks = dict.fromkeys(model.task for model in registry.models() if name in (model.name, model.family))
    if len(tasks) == 1:
        return registry.members(next(iter(tasks)), name)
    if tasks:
        words = " or ".join(f"{task}/{name}" for task in tasks)
        raise UsageError(f"several tasks have a model called {name!r}", f"say which: {words}")
    if known := dict.fromkeys(each for model in registry.models() for each in (model.family, model.name) if each):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        raise UsageError(f"no model is called {name!r}", f"did you mean {near[0]!r}?" if near else "see: imgai models")
    raise UsageError(f"no model is called {name!r}", "no plugin is installed; try: pip install 'imgai[all]'")


def _list(registry: Registry, as_json: bool) -> None:
    models = registry.models()
    if as_json:
        for model in models:
            typer.echo(json.dumps(describe(registry, model)))
        return
    if not models:
        typer.echo("no models: no plugin is installed; try: pip install 'imgai[all]'", err=True)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "model", "what it is for", "licence", "parameters", "weights", box=None, header_style="bold")
    for model in models:
        default = registry.task(model.task).default_model in (model.name, model.family)
        table.add_row(
            model.task,
            model.name + (" *" if default else ""),
            model.summary,
            model.license,
            _millions(model.parameters),
            _megabytes(model.weights.size) if model.weights else "none",
        )
    console = Console()
    console.print(table)
    console.print(
        "* the task's default (of a family, what the size needs); more about one: imgai models info NAME", style="dim"
    )


def _print_facts(facts: dict[str, Any], model: Model) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    weights = facts["weights"] or {}
    rows = [
        ("model", f"{facts['task']}/{facts['name']}" + (" (default)" if facts["default"] else "")),
        ("for", facts["summary"]),
        ("licence", facts["license"]),
        ("parameters", _millions(facts["parameters"])),
        ("takes", facts["input"]),
        ("labels", ", ".join(facts["labels"]) or "-"),
        ("plugin", facts["plugin"]),
        ("weights", weights.get("path") or (f"{weights['file']} (fetched at first use)" if weights else "none")),
        ("size", _megabytes(weights["size"]) if weights else "-"),
        ("sha256", weights.get("sha256", "-")),
        ("weights' licence", weights.get("license", "-")),
        ("trained on", weights.get("data") or "-"),
    ]
    for name, value in rows:
        table.add_row(name, str(value))
    if model.params is not None:
        for option, takes, default, text in as_table(model.params):
            table.add_row(option, f"{text} ({takes}; default {default})")
    Console().print(table, markup=False, highlight=False)


def _millions(parameters: int | None) -> str:
    if parameters is None:
        return "?"
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e5 else f"{parameters:,}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
