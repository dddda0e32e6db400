"""``imgai compare``: pictures through several steps or models, side by side, to choose by eye."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path

import typer

from imgai.cli.command import add_command
from imgai.cli.settings import Settings
from imgai.cli.start import open_page
from imgai.console import Console
from imgai.errors import UsageError
from imgai.options import CompareOptions, Machine, RunOptions
from imgai.registry import Registry
from imgai.words.chain import assemble
from imgai.words.command import Given, machine_options, run_options
from imgai.words.steps import parse_step

_HELP = """Process pictures by several steps or models, and show the results side by side on a page and a contact sheet.

Each --with is a command without imgai, in quotes; several steps are joined by |:
imgai compare ./scans --with "denoise" --with "denoise --model gaussian" --with "denoise | super-resolve" """
REPORT, CONTACT = Path("compare.html"), Path("compare.jpg")
_NOWHERE = Path("out.csv")  # nothing is written but what is looked at; a name that labels could be written under, too


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai compare``."""

    def work(given: Given) -> int:
        asked = given.of(CompareOptions)
        if not asked.with_:
            raise UsageError("there is nothing to compare", 'add --with "denoise" --with "denoise --model gaussian"')
        return compare(asked.with_, given, registry, settings, report=asked.report or REPORT, contact=asked.contact)

    add_command(
        app, "compare", [*run_options(CompareOptions), *machine_options()], work, help=_HELP, settings=settings.of()
    )


def compare(
    texts: tuple[str, ...], given: Given, registry: Registry, settings: Settings, *, report: Path, contact: Path | None
) -> int:
    """Run each chain on the inputs and write the report."""
    from imgai.runs.variants import Variant, side_by_side

    variants = []
    for text in texts:
        steps = [parse_step(part, registry, settings.of(_first(part))) for part in text.split("|")]
        specs, outputs = assemble(steps, (), registry, out=_NOWHERE, hint="")
        variants.append(Variant(" ".join(text.split()), tuple(specs), outputs.kinds))
    if len({each.title for each in variants}) < len(variants):
        raise UsageError("two of --with are the same", "change one of them")
    options = given.of(RunOptions, machine=given.of(Machine))
    options = dataclasses.replace(options, report=report, contact=contact or report.with_suffix(".jpg"))
    console = Console(quiet=options.quiet, verbose=options.verbose)
    outcomes, code = side_by_side(variants, options, console, title=f"imgai compare: {', '.join(texts)}")
    if options.json:
        rows = [
            {"with": each.title, "seconds": round(each.seconds, 3), "done": each.done, "failed": each.failed}
            for each in outcomes
        ]
        console.out_line(json.dumps({"report": str(options.report), "contact": str(options.contact), "runs": rows}))
    if options.open:
        open_page(options.report, console)
    return code


def _first(text: str) -> str:
    try:
        return (shlex.split(text) or [""])[0]
    except ValueError:
        return ""
