"""``imgai evaluate``: how often a task's answers are right, on images whose answer is known."""

from __future__ import annotations

import difflib
import importlib.util
import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imgai.cli.command import add_command
from imgai.cli.settings import Settings
from imgai.cli.start import start
from imgai.console import Console
from imgai.errors import UsageError
from imgai.images.formats import picture_suffixes
from imgai.options import PRINTED, EvaluateOptions, Machine, OutputOptions, RunOptions
from imgai.params import Option
from imgai.plugin import Model, Task
from imgai.registry import Registry
from imgai.words.command import Given, machine_options, run_options
from imgai.words.steps import Asked, settled, spec_of, step_options, written_options

if TYPE_CHECKING:
    from imgai.kinds.table import Row
    from imgai.runs.scan import Input

_EXTRA = ("sklearn", "matplotlib")
_ID = re.compile(r"n\d{8}")


_HELP = """Measure how often labels are right: top-1, top-5, precision, recall and F1 of each class, the confusion
matrix, the calibration error.

The folder has a folder for each class, called as the model calls it or by its WordNet id; or the names of the files
begin with a WordNet id."""
_TOP = 5


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai evaluate TASK`` for every task that makes scores."""
    group = typer.Typer(help="Measure how often answers are right.", no_args_is_help=True)
    for task in registry.tasks.values():
        if task.output in PRINTED:
            add_command(
                group,
                task.name,
                [*run_options(EvaluateOptions), *_step_options(task, registry), *machine_options()],
                partial(_evaluate, task, registry),
                help=_HELP,
                short_help=f"Measure {task.name}.",
                settings=settings.of(task.name),
            )
    app.add_typer(group, name="evaluate")


def _step_options(task: Task, registry: Registry) -> list[Option]:
    """The options of a step, without those of what is written."""
    written = {each.name for each in written_options(task.output, registry)}
    return [each for each in step_options(task, registry) if each.name not in written]


def _evaluate(task: Task, registry: Registry, given: Given) -> int:
    """Label the images, compare, tell."""
    asked = given.of(EvaluateOptions)
    for module in _EXTRA:
        if importlib.util.find_spec(module) is None:
            raise UsageError("measuring needs scikit-learn and matplotlib", "pip install 'imgai[evaluate]'")
    if not asked.folder.is_dir():
        raise UsageError(f"{asked.folder} is no folder", "name one that holds images whose class is known")
    step = settled(Asked(task, given.values, given.typed, task.name), registry)
    model, others = registry.model(task.name, step.values.get("model")), registry.models(task.name)
    classes = _classes(asked.folder, model, others, Console(quiet=asked.quiet))
    rows: list[Row] = []
    options = given.of(
        RunOptions,
        inputs=(str(asked.folder),),
        out=None,
        json=False,
        outputs=OutputOptions(top=_TOP),
        machine=given.of(Machine),
        avoid=(asked.out,) if asked.out else (),
    )
    code = start([spec_of(step, registry)], options, rows.append, accept=classes.__contains__)
    _tell(asked, rows, model, others)
    return code


class _Classes:
    """The inputs whose class is known: those below these folders, and these files."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = frozenset(paths)

    def __contains__(self, item: Input) -> bool:
        return item.path is not None and not self._paths.isdisjoint((item.path, *item.path.parents))


def _classes(folder: Path, model: Model, others: Iterable[Model], console: Console) -> _Classes:
    """Look at the names before any image is read. What lies in no class is told, and left out.

    Raises UsageError if nothing is left.
    """
    names = _names(model, others)
    known: list[Path] = []
    strays: list[Path] = []
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir()
        if path.name.startswith(".") or not (is_folder or path.suffix.lower() in picture_suffixes()):
            continue
        word = match[0] if (match := _ID.match(path.name)) else path.name if is_folder else ""
        sure = word in names or _plain(word) in names
        (known if sure or (word and not model.labels) else strays).append(path)
    if not known:
        if strays and not strays[0].is_dir():
            raise UsageError(
                f"{strays[0]} lies in no folder for its class, and its name begins with no WordNet id",
                "make a folder for each class",
            )
        if strays:
            raise _no_class(strays[0].name, model, names)
        raise UsageError(f"{folder} has no folder of images", "make a folder for each class")
    if strays:
        more = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
        console.warn(f"{strays[0]}{more}: no class of the model {model.name}; left out")
    return _Classes(known)


def _no_class(word: str, model: Model, names: dict[str, str]) -> UsageError:
    near = difflib.get_close_matches(_plain(word), names, n=1, cutoff=0.5)
    hint = f"did you mean {names[near[0]]!r}?" if near else f"see: imgai models info {model.task}/{model.name}"
    return UsageError(f"the model {model.name} knows no class {word!r}", hint)


def _names(model: Model, others: Iterable[Model]) -> dict[str, str]:
    """What classes may be called in names of folders and files, and what the model calls them."""
    if model.labels:
        names = {_plain(label): label for label in model.labels}
        return names | dict(zip(model.label_ids or (), model.labels, strict=False))
    return {i: label for other in others for i, label in zip(other.label_ids or (), other.labels or (), strict=False)}


def _tell(asked: EvaluateOptions, rows: Sequence[Row], model: Model, others: Iterable[Model]) -> None:
    """Compare the labels with the classes, print the measures and write the report."""
    from imgai.measure.scores import ScoresMeasure
    from imgai.runs.report import write_report

    console = Console(quiet=asked.quiet, verbose=asked.verbose)
    measure, classes = ScoresMeasure(), truths(rows, asked.folder, model, others)
    for row in rows:
        measure.update(row.scores, classes[row.path])
    report = measure.compute()
    if asked.json:
        console.out_line(json.dumps(report.summary()))
    else:
        for name, value in report.summary().items():
            console.out_line(f"{name.replace('_', ' '):18} {value}")
    if asked.out is not None:
        write_report(report, asked.out)
        console.say(f"see {asked.out}")


def truths(rows: Sequence[Row], folder: Path, model: Model, others: Iterable[Model] = ()) -> dict[str, str]:
    """The class of each row's path, as the model calls it. Raises UsageError where a name says none that it knows.

    others: the task's models. What a model that declares no labels (it has those of a checkpoint, say) calls its
    classes is seen from its answers, and what an identifier stands for is looked up with the others.
    """
    names = _names(model, others)
    if not model.labels:
        names |= {_plain(label): label for row in rows for label, _ in row.scores}
    classes = {}
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
            raise _no_class(word, model, names)
        classes[path] = label
    return classes


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()
