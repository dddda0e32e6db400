"""``imgai chain``: several steps over the same inputs, in one go."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
from collections.abc import Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgai.cli.options import machine_options, options_of, run_options
from imgai.cli.recipe import run_parameters, write_recipe
from imgai.cli.settings import with_variables
from imgai.cli.start import start
from imgai.cli.steps import flag_of, is_given, outputs_of, parse_step, set_options, spec_of, without_maps
from imgai.errors import UsageError
from imgai.plugin import Output, Task
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.predict.spec import StepSpec
    from imgai.runs.options import OutputOptions

_HELP = """Take pictures through several steps, without a file between them.

A step is a command as you would type it, in quotes: imgai chain ./scans --out ready/ "denoise --strength 0.4"
"super-resolve --scale 2". What is not a step is an input; inputs come first."""


_WRITTEN = ("as_", "format", "quality", "sort_into", "link", "write_xmp", "explain", "explain_label")
"""Options about what is written, which is of the last step, and masks of those that are kept."""


def add(app: typer.Typer, registry: Registry) -> None:
    """Add ``imgai chain``."""

    def command(context: typer.Context, **values: Any) -> None:
        given = {name for name in values if is_given(context, name)}
        recipe: list[bytes] = []

        def steps() -> tuple[list[StepSpec], OutputOptions]:
            specs, outputs, texts = _read(values, registry)
            if values["save_recipe"] is not None:
                recipe.append(_recipe(values, given, specs, texts, registry))
            return specs, outputs

        def save(code: int) -> int:
            """Only here, because the inputs were found by now."""
            if recipe and not values["dry_run"]:
                _save(values["save_recipe"], recipe[0])
            return code

        raise typer.Exit(start(values, steps, then=save))

    of_runs = [option for option in options_of(run_options) if option.name not in ("inputs", "model")]
    # Labels need no place; what else does is told of when the steps are known.
    of_runs = [option.replace(default=None) if option.name == "out" else option for option in of_runs]
    named, *of_chains = options_of(chain_options)
    of_context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = [of_context, named, *with_variables([*of_runs, *of_chains, *options_of(machine_options)])]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command("chain", help=_HELP)(command)


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


def _read(values: dict[str, Any], registry: Registry) -> tuple[list[StepSpec], OutputOptions, list[str]]:
    """The steps among what was named, and how each was written; the inputs stay in `values`."""
    inputs, texts = _divide(values["inputs"], registry)
    values["inputs"] = inputs
    parsed = [parse_step(text, registry) for text in texts]
    steps = [(task, found) for task, found, _ in parsed]
    send_to(values["out"], steps, "add --out FOLDER")
    typed = [names for _, _, names in parsed]
    return *assemble(steps, texts, values["keep"] or [], registry, given=typed), texts


def _recipe(
    values: dict[str, Any], given: set[str], specs: Sequence[StepSpec], texts: Sequence[str], registry: Registry
) -> bytes:
    """The steps as a recipe, with what files and variables say of them. Raises UsageError where another one is."""
    of_occasion = ("out", "force", "json_", "quiet", "verbose", "null", "watch")
    defaults = {
        flag_of(option): values[option.name]
        for option in run_parameters()
        if option.name in given and option.name not in of_occasion
    }
    steps = []
    for place, (spec, text) in enumerate(zip(specs, texts, strict=True)):
        unwritten = () if place == len(specs) - 1 or spec.keep is not None else _WRITTEN
        steps.append((spec.task.name, set_options(text, registry, leave=unwritten), spec.keep is not None))
    content = write_recipe(steps, defaults).encode()
    path: Path = values["save_recipe"]
    if path.exists() and not values["force"] and path.read_bytes() != content:
        raise UsageError(f"--save-recipe {path}: there is such a file", "name another, or add --force")
    return content


def _save(path: Path, content: bytes) -> None:
    from imgai.runs.commit import commit

    if not path.exists() or path.read_bytes() != content:
        commit(path, lambda file: file.write(content))


def send_to(out: Path | None, steps: Sequence[tuple[Task, dict[str, Any]]], hint: str) -> None:
    """Tell the last step where its labels go; without a place they are shown. Anything else needs one: UsageError."""
    task, values = steps[-1]
    if task.output is Output.SCORES:
        values["out"] = out
    elif out is None:
        raise UsageError("it is not said where to", hint)


def assemble(
    steps: Sequence[tuple[Any, dict[str, Any]]],
    texts: Sequence[str],
    keep: Sequence[str],
    registry: Registry,
    *,
    given: Sequence[Set[str]] | None = None,
) -> tuple[list[StepSpec], OutputOptions]:
    """Parsed steps as a chain. Raises UsageError.

    texts: how each was written, for errors. given: the names of the values of each that were typed; without it, all.
    What files and variables say of outputs is for the last step, and for those that are kept.
    """
    from imgai.predict.spec import Keep

    specs: list[StepSpec] = []
    wanted = list(dict.fromkeys(name.strip() for names in keep for name in names.split(",")))
    for place, ((task, values), text) in enumerate(zip(steps, texts, strict=True)):
        earlier = sum(spec.task.name == task.name for spec in specs)
        name = f"{task.name}-{earlier + 1}" if earlier else task.name
        if place < len(steps) - 1:
            typed = values if given is None else given[place]
            values = {
                option: None
                if option in _WRITTEN and option not in typed and not (option == "as_" and name in wanted)
                else value
                for option, value in values.items()
            }
        elif given is not None:
            values = without_maps(values, given[place])
        spec = spec_of(task, registry, values, name=name)
        outputs = outputs_of(task, registry, values)
        if place == len(steps) - 1:
            specs.append(spec)
            break
        if spec.name in wanted:
            for kind in outputs.kinds:
                if kind.kind.once == "run":
                    raise UsageError(f"the step {text!r}: --as {kind.name} is for the last step", "keep another kind")
            if not outputs.kinds or any(kind.kind.once != "page" for kind in outputs.kinds):
                raise UsageError(f"--keep {spec.name}: nothing of that step can be kept", "name one that makes masks")
            spec = dataclasses.replace(spec, keep=Keep(spec.name, outputs.kinds))
        elif any(values.get(option) for option in _WRITTEN):
            pages = bool(outputs.kinds) and all(kind.kind.once == "page" for kind in outputs.kinds)
            hint = f"add --keep {spec.name}" if pages else "give the last step the option"
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
