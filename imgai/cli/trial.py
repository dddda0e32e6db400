"""``imgai try``: run every installed task on sample pictures, and show the results on a page."""

from __future__ import annotations

import dataclasses
import sys
import time
from importlib.resources import as_file, files
from pathlib import Path

import typer

from imgai.cli.command import add_command
from imgai.cli.settings import Settings
from imgai.cli.start import open_page
from imgai.console import Console
from imgai.errors import ImgaiError, UsageError
from imgai.options import Machine, RunOptions, TryOptions
from imgai.registry import Registry
from imgai.words.chain import assemble
from imgai.words.command import Given, machine_options, run_options
from imgai.words.steps import parse_step

_HELP = """Run every installed task on four pictures that come with imgai, and show the results.

On a terminal the page opens in a browser. Nothing is downloaded; models without local weights are left out."""
REPORT = Path("imgai-try.html")
_NOWHERE = Path("out.csv")


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai try``. What files set is not read: this is how imgai works for anybody."""

    def work(given: Given) -> int:
        return _try(given, registry)

    add_command(app, "try", [*run_options(TryOptions), *machine_options()], work, help=_HELP)


def _try(given: Given, registry: Registry) -> int:
    from imgai.runs.variants import Variant, side_by_side

    asked = given.of(TryOptions)
    console = Console(quiet=asked.quiet, verbose=asked.verbose)
    begun = time.monotonic()
    variants = []
    for task in registry.tasks.values():
        if task.inputs:
            console.say(f"{task.name} is left out: it takes a {' and a '.join(task.inputs)} of your own")
            continue
        try:
            specs, outputs = assemble([parse_step(task.name, registry)], (), registry, out=_NOWHERE, hint="")
        except ImgaiError as error:
            console.warn(f"{task.name} is left out: {error}")
            continue
        far = [
            model.name for spec in specs for model in spec.all_models if model.weights and "://" in model.weights.file
        ]
        if far:
            console.say(f"{task.name} is left out: the weights of {far[0]} would be fetched")
            continue
        variants.append(Variant(task.name, tuple(specs), outputs.kinds))
    if not variants:
        raise UsageError("no task is installed", 'pip install "imgai[all]"')
    with as_file(files("imgai") / "samples") as samples:
        options = given.of(RunOptions, inputs=(str(samples),), machine=given.of(Machine))
        options = dataclasses.replace(options, report=asked.report or REPORT)
        outcomes, code = side_by_side(
            variants,
            options,
            Console(quiet=True),
            title="imgai try: what is installed, on four pictures",
            forgiving=True,
        )
    for each in outcomes:
        if each.error is not None:
            console.fail(f"{each.title}: {each.error}")
    done = [each.title for each in outcomes if each.error is None]
    console.say(f"{', '.join(done)} in {time.monotonic() - begun:.0f} s; see {options.report}")
    console.say("next: imgai segment FOLDER --out masks/ --report masks.html, with a folder of your own")
    if asked.open or (sys.stdout is not None and sys.stdout.isatty()):
        open_page(options.report, console)
    return code
