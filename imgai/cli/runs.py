"""``imgai runs``: summarize the runs of an output folder."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from imgai.cli.command import exit_code
from imgai.cli.settings import Settings
from imgai.console import Console, printable
from imgai.errors import EXIT_FAILED, EXIT_OK
from imgai.registry import Registry

_Out = Annotated[Path, typer.Argument(help="The folder that --out named.", metavar="OUT")]
_SHOWN = 10
"""The most failures that are shown of each thing that was run."""
_COUNTS = {"done": "done", "skipped": "done before", "failed": "failed"}


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command and its sub-commands."""
    runs = typer.Typer(help="What was done in an output folder, by one run or many.", no_args_is_help=True)
    app.add_typer(runs, name="runs")

    @runs.command("show")
    def show(
        out: _Out, json_: Annotated[bool, typer.Option("--json", help="Print it as one line of JSON.")] = False
    ) -> None:
        """Count inputs that are done, failed, in progress or done twice, and list the active runs."""
        raise typer.Exit(exit_code(lambda: _show(out, json_)))

    @runs.command("missing")
    def missing(
        out: _Out,
        inputs: Annotated[
            list[str] | None, typer.Argument(help="The inputs; those that the runs were given, if left out.")
        ] = None,
        null: Annotated[
            bool, typer.Option("--null", "-0", help="End each path with NUL instead of a newline.")
        ] = False,
    ) -> None:
        """Print the inputs that are not done or have failed. Exits with 1 if there are any."""
        raise typer.Exit(exit_code(lambda: _missing(out, inputs or [], null)))

    @runs.command("merge")
    def merge(out: _Out) -> None:
        """Compact the records to one line per input. Not possible while runs are active."""
        raise typer.Exit(exit_code(lambda: _merge(out)))


def _show(out: Path, as_json: bool) -> int:
    from imgai.runs.overview import mates, totals

    found, team = totals(out), mates(out)
    if as_json:
        told = {"runs": [asdict(each) for each in found], "workers": [asdict(each) for each in team]}
        typer.echo(json.dumps(told))
        return EXIT_OK
    for total in found:
        parts = [f"{total.done:,} done", f"{len(total.errors):,} failed"]
        parts += [f"{total.begun:,} outputs begun"] if total.begun else []
        parts += [f"{total.twice:,} done more than once"] if total.twice else []
        typer.echo(printable(f"{total.run}: {', '.join(parts)}; {total.seconds:,.0f} s of work"))
        for path, error in list(total.errors.items())[:_SHOWN]:
            typer.echo(printable(f"  {error or path}"))
        if len(total.errors) > _SHOWN:
            typer.echo(f"  and {len(total.errors) - _SHOWN:,} more: imgai runs missing {out}")
    for mate in team:
        told = mate.told
        part = f", part {told['part']}" if told.get("part") else ""
        words = f"{told.get('host', '?')}, process {told.get('process', '?')}{part}: {mate.state}"
        if mate.state == "ended":
            counts = [f"{told.get(name, 0):,} {shown}" for name, shown in _COUNTS.items()]
            words += f", {', '.join(counts)}"
        else:
            words += f", last heard of {mate.silent:,.0f} s ago"
        typer.echo(printable(words))
    return EXIT_OK


def _missing(out: Path, inputs: list[str], null: bool) -> int:
    from imgai.runs.overview import missing

    console = Console()
    found = missing(out, inputs, console.warn)
    for path, _ in found:
        if null:
            sys.stdout.buffer.write(os.fsencode(path) + b"\0")
        else:
            console.out_line(path)
    sys.stdout.flush()
    failed = sum(bool(error) for _, error in found)
    console.say(f"{len(found) - failed:,} missing, {failed:,} failed")
    return EXIT_FAILED if found else EXIT_OK


def _merge(out: Path) -> int:
    from imgai.runs.overview import merge

    before, after = merge(out)
    typer.echo(f"{before:,} lines of records, {after:,} now", err=True)
    return EXIT_OK
