"""``imgai evaluate``: how often a task's answers are right, on pictures whose answer is known."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
import inspect
import json
import re
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgai.cli.options import machine_options, options_of, run_options
from imgai.cli.settings import with_variables
from imgai.cli.start import start
from imgai.cli.steps import is_given, outputs_of, parameters_of, settled, spec_of
from imgai.console import Console
from imgai.errors import UsageError
from imgai.plugin import Model, Output, Task
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.kinds.table import Row

_EXTRA = ("sklearn", "matplotlib")
_ID = re.compile(r"n\d{8}")


def add(app: typer.Typer, registry: Registry) -> None:
    """Add ``imgai evaluate TASK`` for every task that makes scores."""
    tasks = [task for task in registry.tasks.values() if task.output is Output.SCORES]
    group = typer.Typer(help="Measure how often answers are right.", no_args_is_help=True)
    for task in tasks:
        group.command(task.name, help=_HELP, short_help=f"Measure {task.name}.")(_command(task, registry))
    app.add_typer(group, name="evaluate")


_HELP = """Measure how often labels are right: top-1, top-5, precision, recall and F1 of each class, the confusion
matrix, the calibration error.

The folder has a folder for each class, called as the model calls it or by its WordNet id; or the names of the files
begin with a WordNet id."""


def evaluate_options(
    folder: Annotated[Path, typer.Argument(help="Pictures whose class is known.", metavar="DIR", show_default=False)],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="A folder for classes.csv, confusion.csv and confusion.png.",
            metavar="FOLDER",
            rich_help_panel="Run",
            show_default=False,
        ),
    ] = None,
) -> None:
    """What is measured, and where the report goes."""


def _command(task: Task, registry: Registry) -> Any:
    def command(context: typer.Context, **values: Any) -> None:
        given = {name for name in values if is_given(context, name)}
        raise typer.Exit(_evaluate(task, registry, values, given))

    wanted = ("model", "json_", "quiet", "verbose")
    of_task = [option for option in parameters_of(task, registry) if option.name not in _OF_OUTPUTS]
    of_runs = [option for option in options_of(run_options) if option.name in wanted]
    of_context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    options = with_variables([*of_runs, *of_task, *options_of(machine_options)], task.name)
    parameters = [of_context, *options_of(evaluate_options), *options]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


_OF_OUTPUTS = ("top", "threshold", "sort_into", "link", "write_xmp", "explain", "explain_label")
_NOTHING: dict[str, Any] = {
    "top": 5,
    "threshold": 0.0,
    "sort_into": None,
    "link": False,
    "write_xmp": False,
    "explain": None,
    "explain_label": None,
    "force": False,
    "dry_run": False,
    "fail_fast": False,
    "null": False,
}


def _evaluate(task: Task, registry: Registry, values: dict[str, Any], given: Set[str]) -> int:
    """Label the pictures, compare, tell."""
    rows: list[Row] = []
    folder, out = values["folder"], values["out"]
    asked = {**_NOTHING, **values, "inputs": [str(folder)], "out": None, "json_": False}

    def steps() -> tuple[list[Any], Any]:
        for module in _EXTRA:
            if importlib.util.find_spec(module) is None:
                raise UsageError("measuring needs scikit-learn and matplotlib", "pip install 'imgai[evaluate]'")
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder", "name one that holds pictures whose class is known")
        found = settled(task, registry, asked, given)
        asked["model"] = found["model"]
        return [spec_of(task, registry, found)], dataclasses.replace(outputs_of(task, registry, found), top=5)

    console = Console(quiet=values["quiet"], verbose=values["verbose"])

    def told(code: int) -> int:
        from imgai.runs.evaluate import evaluate, write_report

        truth = truths(rows, folder, registry.model(task.name, asked["model"]), registry.models(task.name))
        report = evaluate(rows, truth)
        if values["json_"]:
            console.out_line(json.dumps(report.summary()))
        else:
            for name, value in report.summary().items():
                console.out_line(f"{name.replace('_', ' '):18} {value}")
        if out is not None:
            write_report(report, out)
            console.say(f"see {out}")
        return code

    return start(asked, steps, avoid=(out,) if out else (), collect=rows.append, then=told)


def truths(rows: Sequence[Row], folder: Path, model: Model, others: Iterable[Model] = ()) -> dict[str, str]:
    """The class of each row's path, as the model calls it. Raises UsageError where a name says none that it knows.

    others: the task's models. What a model that declares no labels (it has those of a checkpoint, say) calls its
    classes is seen from its answers, and what an identifier stands for is looked up with the others.
    """
    if model.labels:
        names = {_plain(label): label for label in model.labels}
        names |= dict(zip(model.label_ids or (), model.labels, strict=False))
    else:
        names = {
            i: label for other in others for i, label in zip(other.label_ids or (), other.labels or (), strict=False)
        }
        names |= {_plain(label): label for row in rows for label, _ in row.scores}
    found = {}
    for row in rows:
        path = row.path
        relative = Path(path).relative_to(folder)
        word = relative.parts[0] if len(relative.parts) > 1 else ""
        if match := _ID.match(word or relative.name):
            word = match[0]
        if not word:
            raise UsageError(
                f"{path} lies in no folder for its class, and its name begins with no WordNet id",
                "make a folder for each class",
            )
        label = names.get(word) or names.get(_plain(word)) or (None if model.labels else word)
        if label is None:
            near = difflib.get_close_matches(_plain(word), names, n=1, cutoff=0.5)
            hint = f"did you mean {names[near[0]]!r}?" if near else f"see: imgai models info {model.task}/{model.name}"
            raise UsageError(f"the model {model.name} knows no class {word!r}", hint)
        found[path] = label
    return found


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()
