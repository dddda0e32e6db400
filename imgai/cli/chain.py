"""``imgai chain``: several steps over the same inputs, in one go."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgai.cli.config import with_variables
from imgai.cli.options import machine_options, options_of, run_options
from imgai.cli.recipe import run_parameters, write_recipe
from imgai.cli.start import start
from imgai.cli.steps import flag_of, given_options, is_given, outputs_of, parse, spec_of
from imgai.errors import UsageError
from imgai.plugin import Output, Task
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.run.options import OutputOptions, StepSpec

_HELP = """Take pictures through several steps, without a file between them.

A step is a command as you would type it, in quotes: imgai chain ./scans --out ready/ "denoise --strength 0.4"
"super-resolve --scale 2". What is not a step is an input; inputs come first."""


def add(app: typer.Typer, registry: Registry) -> None:
    """Add ``imgai chain``."""

    def command(context: typer.Context, **values: Any) -> None:
        given = {name for name in values if is_given(context, name)}
        raise typer.Exit(start(values, lambda: _read(values, given, registry)))

    of_runs = [option for option in options_of(run_options) if option.name not in ("inputs", "model")]
    # Labels need no place; what else does is told of when the steps are known.
    of_runs = [option.replace(default=None) if option.name == "out" else option for option in of_runs]
    named, *of_chains = options_of(chain_options)
    of_context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [of_context, named, *with_variables([*of_runs, *of_chains, *options_of(machine_options)])]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command("chain", help=_HELP, short_help="Several steps, without a file between them.", rich_help_panel="Tasks")(
        command
    )


def chain_options(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs, - or @list.txt; then the steps, each in quotes.",
            show_default=False,
            metavar="INPUTS... STEPS...",
        ),
    ],
    *,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            help="Write what this step found, too (its name; segment-2 is the second of two).",
            metavar="STEP",
            rich_help_panel="Output",
            show_default=False,
        ),
    ] = None,
    save_recipe: Annotated[
        Path | None,
        typer.Option(
            "--save-recipe",
            help="Write the steps into a file for imgai run, too.",
            metavar="FILE",
            rich_help_panel="Output",
            show_default=False,
        ),
    ] = None,
) -> None:
    """What is named, and what is kept of the steps before the last."""


def _read(values: dict[str, Any], given: set[str], registry: Registry) -> tuple[list[StepSpec], OutputOptions]:
    """The steps among what was named; the inputs stay in `values`. given: the options that were written."""
    inputs, texts = _divide(values["inputs"], registry)
    values["inputs"] = inputs
    steps = [parse(text, registry) for text in texts]
    send_to(values["out"], steps, "add --out FOLDER")
    specs, outputs = assemble(steps, texts, values["keep"] or [], registry)
    if values["save_recipe"] is not None:
        _save(values, given, specs, texts, registry)
    return specs, outputs


def _save(
    values: dict[str, Any], given: set[str], specs: Sequence[StepSpec], texts: Sequence[str], registry: Registry
) -> None:
    """Write the steps as a recipe."""
    from imgai.run.commit import commit

    path: Path = values["save_recipe"]
    if path.exists() and not values["force"]:
        raise UsageError(f"--save-recipe {path}: there is such a file", "name another, or add --force")
    of_occasion = ("out", "force", "json_", "quiet", "verbose", "null", "watch")
    defaults = {
        flag_of(option): values[option.name]
        for option in run_parameters()
        if option.name in given and option.name not in of_occasion
    }
    steps = [
        (spec.task.name, given_options(text, registry), spec.keep is not None)
        for spec, text in zip(specs, texts, strict=True)
    ]
    content = write_recipe(steps, defaults).encode()
    commit(path, lambda file: file.write(content))


def send_to(out: Path | None, steps: Sequence[tuple[Task, dict[str, Any]]], hint: str) -> None:
    """Tell the last step where its labels go; without a place they are shown. Anything else needs one: UsageError."""
    task, values = steps[-1]
    if task.output is Output.SCORES:
        values["out"] = out
    elif out is None:
        raise UsageError("it is not said where to", hint)


def assemble(
    steps: Sequence[tuple[Any, dict[str, Any]]], texts: Sequence[str], keep: Sequence[str], registry: Registry
) -> tuple[list[StepSpec], OutputOptions]:
    """Parsed steps as a chain. texts: how each was written, for errors. Raises UsageError."""
    from imgai.run.options import Keep

    specs: list[StepSpec] = []
    wanted = list(dict.fromkeys(name.strip() for names in keep for name in names.split(",")))
    for place, ((task, values), text) in enumerate(zip(steps, texts, strict=True)):
        earlier = sum(spec.task.name == task.name for spec in specs)
        spec = spec_of(task, registry, values, name=f"{task.name}-{earlier + 1}" if earlier else task.name)
        outputs = outputs_of(task, values)
        if place == len(steps) - 1:
            specs.append(spec)
            break
        if spec.name in wanted:
            if task.output is not Output.MASK:
                raise UsageError(f"--keep {spec.name}: that step finds no mask", "name a step that makes masks")
            if "coco" in outputs.kinds:
                raise UsageError(f"the step {text!r}: --as coco is for the last step", "keep labels or mask of it")
            spec = dataclasses.replace(spec, keep=Keep(spec.name, outputs.kinds, outputs.threshold))
        elif values.get("as_") or outputs.format or outputs.quality:
            hint = f"add --keep {spec.name}" if task.output is Output.MASK else "give the last step the option"
            raise UsageError(f"the step {text!r} is not the last, so nothing is written of it", hint)
        specs.append(spec)
    if unknown := [name for name in wanted if name not in {spec.name for spec in specs}]:
        names = ", ".join(spec.name for spec in specs)
        raise UsageError(f"--keep {unknown[0]}: there is no such step", f"the steps are {names}")
    return specs, outputs


def _divide(named: Sequence[str], registry: Registry) -> tuple[list[str], list[str]]:
    """Inputs and steps: from the first that begins with a task's name on, all are steps."""
    begin = next((i for i, text in enumerate(named) if i and _first(text) in registry.tasks), len(named))
    inputs, steps = list(named[:begin]), list(named[begin:])
    if not steps:
        last = inputs[-1]
        if len(inputs) > 1 and not Path(last).exists() and _first(last):
            registry.task(_first(last))  # raises with the nearest name
        raise UsageError("there is no step", 'add one in quotes: "denoise --strength 0.4"')
    return inputs, steps


def _first(text: str) -> str:
    try:
        return (shlex.split(text) or [""])[0]
    except ValueError:
        return text.split()[0] if text.split() else ""
