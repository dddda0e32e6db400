"""A sub-command for each task: the run's options, the output's, the task's and its models'."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from imgai.console import Console
from imgai.errors import EXIT_INTERRUPTED, ImgaiError, UsageError
from imgai.params import as_options, as_values, fields_of, option_name
from imgai.plugin import Model, NoParams, Output, Task
from imgai.registry import Registry

_RUN = "Run"
_OUTPUT = "Output"
_MACHINE = "Machine"


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
        *inspect.signature(_run_options, eval_str=True).parameters.values(),
        *inspect.signature(_OUTPUT_OPTIONS[task.output], eval_str=True).parameters.values(),
        *as_options(task.params, panel=f"Options of {task.name}"),
        *_model_options(models),
        *inspect.signature(_machine_options, eval_str=True).parameters.values(),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def run_task(task: Task, registry: Registry, values: dict[str, Any]) -> int:
    """Run one task over what was named, and return the exit code."""
    from imgai.run.options import OutputOptions, RunOptions, StepSpec

    console = Console(quiet=values["quiet"], verbose=values["verbose"])
    try:
        model = registry.model(task.name, values["model"])
        spec = StepSpec(
            task=task,
            model=model,
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


def _run_options(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, globs, - (an image on standard input) or @list.txt (a file of names).",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="The folder for what is made; mirrors the input tree.",
            rich_help_panel=_RUN,
            show_default=False,
            metavar="FOLDER",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="The model to use; see: imgai models.", rich_help_panel=_RUN, show_default=False
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Do all again, also what is there and unchanged.", rich_help_panel=_RUN)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and write nothing.", rich_help_panel=_RUN)
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first input that fails.", rich_help_panel=_RUN)
    ] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print one record a line on stdout.", rich_help_panel=_RUN)
    ] = False,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Names in @lists end with NUL, not a new line.", rich_help_panel=_RUN)
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_RUN)] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.", rich_help_panel=_RUN)] = False,
) -> None:
    """The options that every task's command begins with, read by their signature."""


def _machine_options(
    *,
    device: Annotated[
        str,
        typer.Option(
            "--device", help="auto, cpu, cuda, cuda:1, several joined by commas, or mps.", rich_help_panel=_MACHINE
        ),
    ] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="auto, fp32, fp16 or bf16.", rich_help_panel=_MACHINE)
    ] = "auto",
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Work items a batch.", rich_help_panel=_MACHINE, show_default="chosen"),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            "--tile", min=32, help="Side of a tile in pixels.", rich_help_panel=_MACHINE, show_default="the model's"
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, help="Threads that read and write.", rich_help_panel=_MACHINE, show_default="by cores"
        ),
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", help="Budget for pictures in flight, as 512M or 2G.", rich_help_panel=_MACHINE)
    ] = "1G",
    max_pixels: Annotated[
        str,
        typer.Option("--max-pixels", help="Refuse pictures with more pixels, as 500M.", rich_help_panel=_MACHINE),
    ] = "200M",
) -> None:
    """The options about the machine, which stand last."""


def _mask_options(
    *,
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            help="What to write: mask, binary, cutout, overlay, labels or coco; may be given several times.",
            metavar="KIND",
            rich_help_panel=_OUTPUT,
            show_default="mask",
        ),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", min=0.0, max=1.0, help="From where on a soft mask counts as inside.", rich_help_panel=_OUTPUT
        ),
    ] = 0.5,
) -> None:
    """What a task that makes masks can write."""


def _image_options(
    *,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="Format of the pictures written.", rich_help_panel=_OUTPUT, show_default="the input's"
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality", min=1, max=100, help="For JPEG, WebP and AVIF.", rich_help_panel=_OUTPUT, show_default="chosen"
        ),
    ] = None,
) -> None:
    """What a task that makes images can write."""


def _scores_options() -> None:
    """A task that makes scores writes records alone."""


_OUTPUT_OPTIONS: dict[Output, Callable[..., None]] = {
    Output.MASK: _mask_options,
    Output.IMAGE: _image_options,
    Output.SCORES: _scores_options,
}
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
    models = "\n".join(f"- {model.name}: {model.summary}" for model in registry.models(task.name))
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
