"""A sub-command for each task: the run's options, the output's, the task's and its models'."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any

import typer

from imgai.cli.options import OUTPUT_OPTIONS, machine_options, options_of, run_options, size_options
from imgai.console import Console
from imgai.errors import EXIT_INTERRUPTED, ImgaiError, UsageError
from imgai.params import as_options, as_values, fields_of, option_name
from imgai.plugin import Model, NoParams, Output, Task
from imgai.registry import Registry
from imgai.size import Size


def add_tasks(app: typer.Typer, registry: Registry) -> None:
    """Add a command for every task of the registry."""
    for task in registry.tasks.values():
        app.command(task.name, help=_help(task, registry), short_help=task.summary, rich_help_panel="Tasks")(
            task_command(task, registry)
        )


def task_command(task: Task, registry: Registry) -> Callable[..., None]:
    """The function behind one task's sub-command, with the signature that Typer reads."""
    models = registry.models(task.name)

    def command(**values: Any) -> None:
        raise typer.Exit(run_task(task, registry, values))

    parameters = [
        *options_of(run_options),
        *options_of(OUTPUT_OPTIONS[task.output]),
        *_sizes_of(registry.members(task.name)),
        *as_options(task.params, panel=f"Options of {task.name}"),
        *_model_options(models),
        *options_of(machine_options),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def run_task(task: Task, registry: Registry, values: dict[str, Any]) -> int:
    """Run one task over what was named, and return the exit code."""
    from imgai.run.options import OutputOptions, RunOptions, StepSpec

    console = Console(quiet=values["quiet"], verbose=values["verbose"])
    try:
        members = registry.members(task.name, values["model"])
        model = members[0]
        spec = StepSpec(
            task=task,
            model=model,
            members=members if len(members) > 1 else (),
            size=_size(members, values),
            params=as_values(
                task.params, {field.name: values[field.name] for field in dataclasses.fields(task.params)}
            ),
            model_params=_model_values(model, registry.models(task.name), values),
        )
        outputs = OutputOptions(
            kinds=_kinds(task.output, values.get("as_")),
            threshold=values.get("threshold", 0.5),
            format=values.get("format_"),
            quality=values.get("quality"),
        )
        options = RunOptions(
            inputs=values["inputs"],
            out=values["out"],
            outputs=outputs,
            force=values["force"],
            dry_run=values["dry_run"],
            fail_fast=values["fail_fast"],
            json=values["json_"],
            quiet=values["quiet"],
            verbose=values["verbose"],
            null=values["null"],
            device=values["device"],
            precision=values["precision"],
            batch=values["batch"],
            tile=values["tile"],
            threads=values["threads"],
            memory=_bytes(values["memory"]),
            max_pixels=_pixels(values["max_pixels"]),
        )
        from imgai.run import run

        return run([spec], options, console).exit_code
    except ImgaiError as error:
        console.fail(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


_MASK_KINDS = ("mask", "binary", "cutout", "overlay", "labels", "coco")


def _kinds(output: Output, asked: list[str] | None) -> tuple[str, ...]:
    if output is Output.IMAGE:
        return ("image",)
    if output is Output.SCORES:
        return ()
    # --as mask,cutout is as good as --as mask --as cutout, in either order and once each.
    kinds = list(dict.fromkeys(kind.strip() for text in asked or ["mask"] for kind in text.split(",")))
    for kind in kinds:
        if kind not in _MASK_KINDS:
            raise UsageError(f"--as cannot be {kind!r}", f"it is one or more of {', '.join(_MASK_KINDS)}")
    return tuple(kinds)


def _sizes_of(members: tuple[Model, ...]) -> list[inspect.Parameter]:
    """``--scale`` and its like, for a task whose default changes the size."""
    if members[-1].scale == 1:
        return []
    found = options_of(size_options)
    found[0].annotation.__metadata__[0].show_default = f"{members[0].scale}"
    return found


def _size(members: tuple[Model, ...], values: dict[str, Any]) -> Size | None:
    """What was asked for; nothing is the smallest scale there is."""
    asked = {name: values.get(name) for name in ("scale", "width", "height", "megapixels")}
    if all(value is None for value in asked.values()):
        return Size(scale=members[0].scale) if members[-1].scale > 1 else None
    return Size(**asked)


def _model_options(models: list[Model]) -> list[inspect.Parameter]:
    options: dict[str, inspect.Parameter] = {}
    for model in models:
        if model.params is not None:
            for option in as_options(model.params, panel=f"Options of the model {model.name}", unset=True):
                # Two models may share an option; the first says what it is.
                options.setdefault(option.name, option)
    return list(options.values())


def _model_values(model: Model, models: list[Model], values: dict[str, Any]) -> Any:
    mine = model.params or NoParams
    names = {field.name for field in dataclasses.fields(mine)}
    for other in models:
        for field, _, _ in fields_of(other.params or NoParams):
            if field.name not in names and values.get(field.name) is not None:
                raise UsageError(
                    f"{option_name(field.name)} is an option of the model {other.name}, not of {model.name}",
                    f"add --model {other.name} or leave it out",
                )
    return as_values(mine, {name: values.get(name) for name in names})


def _help(task: Task, registry: Registry) -> str:
    named = {model.family or model.name: model.summary for model in reversed(registry.models(task.name))}
    models = "\n".join(f"- {name}: {summary}" for name, summary in reversed(named.items()))
    return f"{task.summary}\n\nModels, the default first:\n\n{models}"


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def _bytes(text: str) -> int:
    """``512M`` as bytes, in powers of 1024."""
    return _scaled(text, 1024, "--memory", "bytes, as 512M or 2G")


def _pixels(text: str) -> int:
    """``200M`` as pixels, in powers of 1000."""
    return _scaled(text, 1000, "--max-pixels", "a number of pixels, as 500M")


def _scaled(text: str, base: int, name: str, takes: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"{name} cannot be {text!r}", f"it takes {takes}")
    return int(float(found[1]) * base ** " KMGT".index(found[2].upper() or " "))
