"""The sub-command of a task: the run's options, the output's, the task's and its models'."""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING

import typer

from imgai.cli.command import add_command
from imgai.cli.settings import Settings
from imgai.cli.start import start
from imgai.console import shown
from imgai.options import PRINTED, Machine, RunOptions, TableOptions
from imgai.params import Option, options_of
from imgai.plugin import Task
from imgai.registry import Registry
from imgai.words.command import Given, machine_options, run_options
from imgai.words.steps import Asked, outputs_of, settled, spec_of, step_options, unplaced


def add_task(app: typer.Typer, task: Task, registry: Registry, settings: Settings, name: str = "") -> None:
    """Add a task's command. name: what it is called, where that is not the task's name."""

    def work(given: Given) -> int:
        out = given.values.get("out")
        asked = settled(Asked(task, given.values, given.typed, task.name), registry)
        asked = asked if out is not None else unplaced(asked)
        outputs = outputs_of(asked, registry, out)
        return start([spec_of(asked, registry)], given.of(RunOptions, outputs=outputs, machine=given.of(Machine)))

    add_command(
        app,
        name or task.name,
        _options(task, registry),
        work,
        help=_help(task, registry),
        examples=task.examples,
        settings=settings.of(task.name),
    )


def _options(task: Task, registry: Registry) -> list[Option]:
    """The options of the command: those of the run around those of the step."""
    inputs, out, *run = run_options()
    if task.output in PRINTED:
        (out,) = options_of(TableOptions, "Run")
    else:
        out = dataclasses.replace(out, default=MISSING)
    model, *others = step_options(task, registry)
    return [inputs, out, model, *run, *others, *machine_options()]


def _help(task: Task, registry: Registry) -> str:
    offered = [model for model in registry.models(task.name) if not model.untrained]
    named = {model.family or model.name: model.summary for model in reversed(offered)}
    models = "\n".join(f"- {name}: {shown(summary)}" for name, summary in reversed(named.items()))
    words = f"{shown(task.summary)}\n\nModels, the default first:\n\n{models}"
    kinds = registry.kinds(task.output)
    if task.output in PRINTED or len(kinds) < 2:
        return words
    written = "\n".join(f"- {kind.name}: {shown(kind.summary)}" for kind in kinds)
    return f"{words}\n\nValues of --as, the default first:\n\n{written}"
