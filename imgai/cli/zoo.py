"""``imgai models list, fetch, verify, remove, where, import, sync``: models that are fetched by name."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgai.bar import Bar
from imgai.cli.listing import show
from imgai.cli.show import describe, megabytes
from imgai.console import Console
from imgai.errors import EXIT_FAILED, PluginError, UsageError
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.predict.zoo import Entry

_CATALOGUE = "https://openmodeldb.info/api/v1/models.json"
_LARGEST = 64 << 20  # bytes of a catalogue


def add_zoo(models: typer.Typer, registry: Registry) -> None:
    """Add the sub-commands."""

    @models.command("list")
    def list_(
        task: Annotated[str, typer.Argument(help="Of this task alone.")] = "",
        license: Annotated[str, typer.Option(metavar="permissive|any", help="With such a licence.")] = "any",
        json_: Annotated[bool, typer.Option("--json", help="Print one model a line as JSON.")] = False,
    ) -> None:
        """List imgai's own models and those that can be downloaded, with licence and size."""
        if license not in ("permissive", "any"):
            raise UsageError(f"--license cannot be {license!r}", "it is permissive or any")
        if task:
            registry.task(task)
        _list(registry, task or None, permissive=license == "permissive", as_json=json_)

    @models.command("fetch")
    def fetch(
        names: Annotated[list[str], typer.Argument(help="Models of the list: their names, or TASK/NAME.")],
        accept_license: Annotated[
            bool, typer.Option("--accept-license", help="Fetch it though its licence is unknown or not for every use.")
        ] = False,
        offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing; fail if it is not there.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    ) -> None:
        """Download models and verify them; an interrupted download is resumed."""
        from imgai.predict import zoo

        console = Console(quiet=quiet)
        for wanted in [zoo.entry(name) for name in names]:
            _fetch(wanted, console, accepted=accept_license, offline=offline)

    @models.command("verify")
    def verify(
        names: Annotated[list[str] | None, typer.Argument(help="Which; all that are there, if left out.")] = None,
    ) -> None:
        """Compare downloaded files with their published digests. Exits with 1 if one differs."""
        from imgai.predict import zoo

        asked = [zoo.entry(name) for name in names or ()]
        there = asked or [each for each in zoo.entries() if each.path.is_file()]
        bad = 0
        for each in there:
            state = "missing" if not each.path.is_file() else "sound" if zoo.is_sound(each) else "DAMAGED"
            bad += state != "sound"
            typer.echo(f"{state:8} {each.task}/{each.name}  {each.path}")
        raise typer.Exit(EXIT_FAILED if bad else 0)

    @models.command("where")
    def where(name: Annotated[str, typer.Argument(help="A model; left out: the folder of all.")] = "") -> None:
        """Print the path of a downloaded model, or the folder of all."""
        from imgai.predict import zoo
        from imgai.predict.weights import cache_folder

        typer.echo(zoo.entry(name).path if name else cache_folder() / "zoo")

    @models.command("import")
    def import_(
        file: Annotated[Path, typer.Argument(help="A file of a model; imgai help other-models tells of which kinds.")],
        name: Annotated[str, typer.Option(help="What it is called from now on.")],
        task: Annotated[str, typer.Option(help="The task that it is for.")],
        license: Annotated[str, typer.Option(help="Its licence, as SPDX has it.")] = "",
    ) -> None:
        """Copy a model file and give it a name for --model."""
        from imgai.predict import zoo

        if name in {each.name for each in registry.models(task)} | {each.family for each in registry.models(task)}:
            raise UsageError(f"{task} has a model called {name!r} already", "choose another name")
        registry.model(task, str(file.absolute()))  # raises what is wrong with it, before anything is copied
        made = zoo.take(file, name, task, license)
        Console().say(f"imgai {task} --model {made.name}; the copy is {made.path}")

    @models.command("sync")
    def sync(
        catalogue: Annotated[str, typer.Argument(help="openmodeldb.")],
        source: Annotated[str, typer.Argument(help="A file or address of a catalogue in its schema.")] = _CATALOGUE,
        offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing; name a file.")] = False,
    ) -> None:
        """Add the models of a catalogue to the list, without downloading them."""
        from imgai.predict import zoo

        if catalogue != "openmodeldb":
            raise UsageError(f"there is no catalogue {catalogue!r}", "it is openmodeldb")
        taken, left = zoo.synchronise(_read(source, offline=offline), registry.tasks)
        words = f"; {left} without an address, a digest or a known task were left out" if left else ""
        Console().say(f"{taken} models of OpenModelDB are in the list{words}")


def unfetched(registry: Registry, name: str) -> Entry | None:
    """The entry of the list of that name, where imgai has no model of its own that is called so."""
    from imgai.predict import zoo

    task, slash, last = name.rpartition("/")
    if any(last in (model.name, model.family) for model in registry.models() if not slash or model.task == task):
        return None
    matching = [each for each in zoo.entries() if each.name == last and (not slash or each.task == task)]
    return matching[0] if len(matching) == 1 else None


def remove_fetched(name: str) -> bool:
    """Delete a fetched or imported model and say so. Returns whether there is one of that name."""
    from imgai.predict import zoo

    if name.rpartition("/")[2] not in {each.name for each in zoo.entries()}:
        return False
    gone = zoo.entry(name)
    freed = zoo.remove(gone)
    Console().say(f"{gone.task}/{gone.name}: " + (f"{megabytes(freed)} freed" if freed else "it was not there"))
    return True


def _read(source: str, *, offline: bool) -> bytes:
    if "://" not in source:
        try:
            return Path(source).read_bytes()
        except OSError as error:
            raise UsageError(f"{source} cannot be read: {error.strerror}", "check the path") from None
    if offline or os.environ.get("IMGAI_OFFLINE", "") not in ("", "0"):
        raise UsageError(f"{source} is not fetched", "name a file of the catalogue")
    from imgai.predict.fetch import careful

    try:
        with careful(source) as answer:
            content: bytes = answer.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        raise PluginError(f"{source} cannot be fetched: {error}", "name a file of the catalogue") from None
    if len(content) > _LARGEST:
        raise PluginError(f"{source} is too long for a catalogue")
    return content


def _fetch(wanted: Entry, console: Console, *, accepted: bool, offline: bool) -> None:
    from imgai.predict import zoo

    called = f"{wanted.task}/{wanted.name}"
    if wanted.path.is_file():
        console.say(f"{called} is there: {wanted.path}")
        return
    by = f" by {wanted.author}" if wanted.author else ""
    console.say(f"{called}{by}, {megabytes(wanted.size)}, licence: {wanted.license or 'unknown'}; {wanted.url}")
    if offline:
        raise PluginError(f"{called} is not there, and --offline fetches nothing", f"put the file at {wanted.path}")
    if not accepted and not wanted.accepted:
        raise UsageError(
            f"the licence of {called} is {wanted.license or 'unknown'}", "read it, then add --accept-license"
        )
    bar = Bar(called, console)
    zoo.bring(wanted, bar.tell)
    bar.end()
    console.say(f"imgai {wanted.task} --model {wanted.name}")


def _list(registry: Registry, task: str | None, *, permissive: bool, as_json: bool) -> None:
    from imgai.predict import zoo

    for trouble in zoo.troubles():
        Console().warn(trouble)
    zoo_entries = [each for each in zoo.entries(task) if each.permissive or not permissive]
    ours = [model for model in registry.models(task) if not permissive or _is_permissive(model.license)]
    if as_json:
        for model in ours:
            typer.echo(json.dumps({**describe(registry, model), "fetched": True}))
        for each in zoo_entries:
            facts = {key: value for key, value in asdict(each).items() if key != "file"}
            typer.echo(json.dumps({**facts, "path": str(each.path), "fetched": each.path.is_file()}))
        return
    from rich.table import Column, Table

    size, state = Column("size", no_wrap=True), Column("", no_wrap=True)
    table = Table("task", "model", "licence", size, "architecture", state, box=None, header_style="bold")
    for model in ours:
        bytes_ = megabytes(model.weights.size) if model.weights else "-"
        there = "in the wheel" if model.weights else "no weights"
        table.add_row(model.task, model.name, model.license, bytes_, "-", there)
    for each in zoo_entries:
        there = "imported" if each.file else "fetched" if each.path.is_file() else ""
        table.add_row(
            each.task, each.name, each.license or "unknown", megabytes(each.size), each.architecture or "-", there
        )
    show(table, "one of the list: imgai models fetch NAME, then --model NAME", spare=("architecture",))


def _is_permissive(license: str) -> bool:
    from imgai.predict.zoo import Entry

    return Entry("", "", "", 0, license=license).permissive
