"""``imgai plugins new|check|install|uninstall``: create, check and install plugins."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgai.cli.command import exit_code
from imgai.errors import EXIT_FAILED, EXIT_OK, UsageError
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.discovery import Plugin
    from imgai.making.project import Project
    from imgai.testing.subject import Subject


def add_making(plugins: typer.Typer, registry: Registry, find: Callable[[Registry, str], Plugin]) -> None:
    """Add the sub-commands. find: a plugin by its name."""

    @plugins.command("new")
    def new(
        name: Annotated[str, typer.Argument(help="What the plugin is called: grain, for imgai-grain.")],
        task: Annotated[bool, typer.Option("--task", help="A new task with one model, the default.")] = False,
        model_of: Annotated[
            str | None, typer.Option("--model-of", help="A model of this task.", metavar="TASK")
        ] = None,
        from_model: Annotated[
            str | None,
            typer.Option("--from-model", help="A model that imgai train wrote: its name or file.", metavar="FILE"),
        ] = None,
        out: Annotated[
            Path | None, typer.Option("--out", "-o", help="The folder; imgai-NAME by default.", metavar="FOLDER")
        ] = None,
    ) -> None:
        """Create a working plugin: declarations, model, tests, README, licence, workflow."""
        raise typer.Exit(exit_code(lambda: _new(registry, name, task, model_of, from_model, out)))

    @plugins.command("check")
    def check(
        what: Annotated[
            str | None,
            typer.Argument(help="An installed plugin, a folder with pyproject.toml (this one by default), or a wheel."),
        ] = None,
    ) -> None:
        """Run the checks of the contract. Prints a line with advice for each fault; exits with 1 if there is any."""
        raise typer.Exit(exit_code(lambda: _check(registry, what, find)))

    @plugins.command("install")
    def install(
        what: Annotated[list[str], typer.Argument(help="Names as on PyPI, wheels, or folders, which are built.")],
        editable: Annotated[bool, typer.Option("--editable", "-e", help="Use a folder's sources as they are.")] = False,
        upgrade: Annotated[bool, typer.Option("--upgrade", "-U", help="Take the newest versions.")] = False,
    ) -> None:
        """Install plugins into this interpreter with pip or uv, and print the command."""
        raise typer.Exit(exit_code(lambda: _install(what, editable, upgrade)))

    @plugins.command("uninstall")
    def uninstall(
        what: Annotated[list[str], typer.Argument(help="Plugins or distributions, as imgai plugins lists them.")],
    ) -> None:
        """Uninstall plugins from this interpreter, and print the command."""
        raise typer.Exit(exit_code(lambda: _uninstall(registry, what, find)))


def _new(
    registry: Registry, name: str, task: bool, model_of: str | None, from_model: str | None, out: Path | None
) -> int:
    if sum((task, model_of is not None, from_model is not None)) > 1:
        raise UsageError("--task, --model-of and --from-model exclude each other", "give one of them")
    project = _project(registry, name, model_of, from_model)
    folder = out or Path(project.distribution)
    project.write(folder)
    typer.echo(f"wrote {folder}: {len(project.files) + len(project.copies)} files", err=True)
    typer.echo(f"next: imgai plugins install {folder}; imgai plugins check {folder}", err=True)
    return EXIT_OK


def _project(registry: Registry, name: str, model_of: str | None, from_model: str | None) -> Project:
    from imgai import trained
    from imgai.making import project

    plain = project.plain_name(name, registry)
    if from_model is not None:
        path = Path(from_model) if Path(from_model).is_file() else trained.find(from_model)
        if path is None:
            raise UsageError(f"there is no model {from_model!r}", "name a file, or a model that imgai train wrote")
        return project.of_file(plain, path, registry)
    if model_of is not None:
        return project.of_model(plain, registry.task(model_of), registry)
    return project.of_task(plain)


def _check(registry: Registry, what: str | None, find: Callable[[Registry, str], Plugin]) -> int:
    from imgai.testing.subject import Subject, contract_of

    path = Path(what or ".").expanduser()
    if what is not None and not path.exists():
        plugin = find(registry, what)
        if plugin.broken:
            typer.echo(f"{plugin.distribution}: registers: {plugin.broken}")
            return EXIT_FAILED
        name = plugin.module.partition(":")[0]
        contract = contract_of(import_module(name))
        return _told(plugin.distribution, Subject.of(plugin, name, contract=contract))
    from imgai.making.built import declared_by, opened

    code = EXIT_OK
    with opened(path) as plugins:
        for built in plugins:
            declared: dict[str, Any] = dict(declared_by(built))
            name = built.module.partition(":")[0]
            subject = Subject(name, **declared, contract=contract_of(import_module(name)))
            code = max(code, _told(built.name, subject))
    return code


def _told(name: str, subject: Subject) -> int:
    """Print what is found, and what is to be pasted."""
    from imgai.making.built import facts_of
    from imgai.predict.weights import location
    from imgai.testing.checks import check_all

    count, made = 0, []
    for check, faults in check_all(subject):
        made.append(check)
        count += len(faults)
        for fault in faults:
            typer.echo(f"{name}: {check}: {fault}")
    for model_, why in subject.left_out.items() if "loads" in made else ():
        typer.echo(f"{name}: {model_} is not checked: {why}", err=True)
    for check, why in subject.contract.exempt.items():
        typer.echo(f"{name}: {check} is left out: {why}", err=True)
    for model in subject.models:
        if model.weights is not None and "://" not in model.weights.file:
            try:
                path = location(model.weights)
            except Exception:
                continue  # told above
            if path is not None:
                typer.echo(facts_of(path), err=True)
    typer.echo(f"{name}: {count or 'no'} fault{'' if count == 1 else 's'}, {len(made)} checks", err=True)
    return EXIT_FAILED if count else EXIT_OK


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _install(what: list[str], editable: bool, upgrade: bool) -> int:
    from imgai.making.pip import install

    install(what, editable=editable, upgrade=upgrade, say=_say)
    return EXIT_OK


def _uninstall(registry: Registry, what: list[str], find: Callable[[Registry, str], Plugin]) -> int:
    from imgai.making.pip import uninstall

    names = [find(registry, name).distribution for name in what]
    if "imgai" in names:
        raise UsageError("imgai itself is no plugin", "pip uninstall imgai takes it away")
    uninstall(names, _say)
    return EXIT_OK
