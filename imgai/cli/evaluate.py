"""``imgai evaluate``: measure the models of a task on pictures with ground truth."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

from imgai.cli.command import add_command
from imgai.cli.settings import Settings
from imgai.cli.start import open_page
from imgai.console import Console, prints_aside
from imgai.errors import UsageError
from imgai.measure import MEASURES
from imgai.options import PRINTED, EvaluateOptions, Machine, OutputOptions, RunOptions
from imgai.params import Option
from imgai.plugin import Model, Task
from imgai.registry import Registry
from imgai.words.command import Given, machine_options, run_options
from imgai.words.steps import Asked, settled, spec_of, step_options, written_options

if TYPE_CHECKING:
    from imgai.evaluation.verdict import Gallery, Verdict
    from imgai.predict.spec import StepSpec
    from imgai.runs.scan import Input
    from imgai.sample import Sample

_OF_CLASSES = ("sklearn", "matplotlib")
_HELP = """Measure models on pictures with ground truth.

The folder has the layout of imgai train: for classify a folder for each class (with the name of the label or its
WordNet id); for masks images/ and masks/, or COCO; for boxes COCO or YOLO; for pictures input/ and target/, or, for
enlarging, only the large pictures. If the folder has test/ or val/, that part is used."""


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai evaluate TASK`` for every task whose output is measured."""
    group = typer.Typer(help="Measure how good answers are.", no_args_is_help=True)
    for task in registry.tasks.values():
        if task.output in MEASURES:
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """The ground truth of the pictures. truth: of a sample. labels: by index. inputs: the folder to process.

    accept: whether something is known of an input. part: of the folder, if not all of it. border: see `measure_of`.
    keys: the digest of every picture.
    """

    truth: Callable[[Sample], Any]
    labels: tuple[str, ...]
    inputs: Path
    accept: Callable[[Input], bool]
    keys: Callable[[], Sequence[str]]
    part: str | None = None
    border: int = 0


def _evaluate(task: Task, registry: Registry, given: Given) -> int:
    """Take the pictures through each model, compare, tell."""
    from imgai.runs.album import Album, check_report, write_contact, write_report
    from imgai.runs.guard import Inputs

    asked = given.of(EvaluateOptions)
    console = Console(quiet=asked.quiet, verbose=asked.verbose)
    if not asked.folder.is_dir():
        raise UsageError(f"{asked.folder} is no folder", "name a folder of pictures with ground truth")
    if asked.open and asked.report is None:
        raise UsageError("--open is for --report", "add --report report.html")
    check_report(asked.report, asked.contact, Inputs())
    specs = _specs(task, registry, given, asked.compare)
    if asked.out is not None:
        from imgai.evaluation.out import check_out

        for title, _ in specs:
            check_out(_tables_of(asked.out, title, len(specs)))
    verdicts: list[Verdict] = []
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="imgai-evaluate-", ignore_cleanup_errors=True)))
        album = Album(scratch / "album", "evaluate") if asked.report or asked.contact else None
        known: dict[tuple[Any, ...], _Known] = {}
        for title, spec in specs:
            same = spec.model.labels, spec.size
            if same not in known:
                known[same] = _known(task, registry, spec, asked, scratch / str(len(known)), console)
            _tell_learned(spec, title, known[same], console)
            gallery = None if album is None else _gallery(album, len(specs), more=bool(verdicts))
            with prints_aside():
                verdicts.append(_judged(spec, title, known[same], asked, given, console, gallery))
            if verdicts[-1].exit_code not in (0, 1):
                return verdicts[-1].exit_code
        part = next(iter(known.values())).part
        _tell(asked, verdicts, console)
        if album is not None:
            from imgai.evaluation.tell import about

            if asked.report is not None:
                page = about(task.name, verdicts, str(asked.folder), part)
                write_report(album, verdicts[0].plans, asked.report, page)
                console.say(f"the report is {asked.report}")
            if asked.contact is not None:
                write_contact(album, verdicts[0].plans, asked.contact, every_side=len(specs) > 1)
                console.say(f"the contact sheet is {asked.contact}")
    if asked.open:
        open_page(asked.report, console)
    return max(each.exit_code for each in verdicts)


def _specs(task: Task, registry: Registry, given: Given, compare: Sequence[str]) -> list[tuple[str, StepSpec]]:
    """The steps that are measured, with what they are called. Raises UsageError."""
    if not compare:
        spec = spec_of(settled(Asked(task, given.values, given.typed, task.name), registry), registry)
        return [(spec.model_name, spec)]
    if "model" in given.typed:
        raise UsageError("--model and --compare both name models", "leave --model out")
    if len(set(compare)) < max(2, len(compare)):
        raise UsageError("--compare takes two models or more, each once", "--compare subject,unet")
    specs = []
    for name in compare:
        values = {**given.values, "model": name}
        step = settled(Asked(task, values, given.typed | {"model"}, task.name), registry)
        specs.append((name, spec_of(step, registry)))
    return specs


def _known(
    task: Task, registry: Registry, spec: StepSpec, asked: EvaluateOptions, scratch: Path, console: Console
) -> _Known:
    """Read the ground truth of the pictures in the folder. Raises UsageError if it has none."""
    if task.output in PRINTED:
        _check_extra()
    if task.output in PRINTED and not _as_for_training(asked.folder):
        return _classes(spec.model, registry.models(task.name), asked, console)
    from imgai.evaluation.truths import read_truths, shrunk_into

    scale = _scale(spec)
    truths = read_truths(asked.folder, task.output, spec.model, scale=scale, max_pixels=asked.max_pixels)
    inputs = asked.folder
    if all(example.target is None for example in truths.examples.values()):
        # What a mask hides no network sees, so that a picture with a mask beside it is its own truth.
        if scale > 1:
            inputs = scratch / "small"
            truths = shrunk_into(truths, scale, inputs)
        elif spec.mask.mask is None:
            beside = "; or add --mask, and what it hides is what they should be" if "mask" in task.inputs else ""
            raise UsageError(
                f"{asked.folder} does not say how its pictures should be", f"put them into input/ and target/{beside}"
            )
    for line in truths.report:
        console.warn(line)
    return _Known(
        truths.of, truths.labels, inputs, lambda item: truths.takes(item.path),
        lambda: [example.key for example in truths.examples.values()], truths.part, truths.border,
    )  # fmt: skip


def _scale(spec: StepSpec) -> int:
    """Return the scale factor. Raises UsageError for a size that is not measured."""
    if spec.size is None:
        return 1
    scale = spec.size.scale
    if scale is None or scale != int(scale) or scale < 2:
        raise UsageError("enlarging is measured by a whole factor", "give --scale 2, 3 or 4")
    return int(scale)


def _check_extra() -> None:
    for module in _OF_CLASSES:
        if importlib.util.find_spec(module) is None:
            raise UsageError("measuring needs scikit-learn and matplotlib", "pip install 'imgai[evaluate]'")


def _as_for_training(folder: Path) -> bool:
    """Whether classes are told by a table, or below train/ and its like, rather than by the folder's own folders."""
    from imgai.training.layouts.base import NAMES

    parts = {NAMES.get(path.name.lower()) for path in folder.iterdir() if path.is_dir()}
    return (folder / "labels.csv").is_file() or "train" in parts


def _classes(model: Model, others: Sequence[Model], asked: EvaluateOptions, console: Console) -> _Known:
    """The classes by the names of folders and files."""
    from imgai.evaluation.classes import class_of, known_classes
    from imgai.evaluation.learned import keys_of
    from imgai.runs.scan import scan

    folder = asked.folder
    classes = known_classes(folder, model, others, console)
    truth = partial(class_of, folder, model, others)

    def keys() -> Sequence[str]:
        taken = [item.path for item in scan((str(folder),)) if item.path is not None and item in classes]
        return keys_of(taken, asked.max_pixels)

    return _Known(truth, model.labels or (), folder, classes.__contains__, keys)


def _tell_learned(spec: StepSpec, title: str, known: _Known, console: Console) -> None:
    """Warn where pictures are among those that the model learned from."""
    from imgai.evaluation.learned import learned_by, warning

    learned = learned_by(spec.model)
    if learned is not None and (words := warning(title, learned, known.keys())):
        console.warn(words)


def _gallery(album: Any, models: int, *, more: bool) -> Gallery:
    from imgai.evaluation.verdict import Gallery

    return Gallery(album, sides=models + 2, more=more)


def _judged(
    spec: StepSpec, title: str, known: _Known, asked: EvaluateOptions, given: Given, console: Console,
    gallery: Gallery | None,
) -> Verdict:  # fmt: skip
    from imgai.evaluation.verdict import judge_model
    from imgai.measure import measure_of

    masked = spec.name if "mask" in spec.task.inputs else ""
    measure = measure_of(spec.task.output, known.labels, threshold=asked.threshold, border=known.border, masked=masked)
    options = given.of(
        RunOptions,
        inputs=(str(known.inputs),),
        out=None,
        json=False,
        report=None,
        contact=None,
        outputs=OutputOptions(),
        machine=given.of(Machine),
        avoid=(asked.out,) if asked.out else (),
    )
    return judge_model(
        spec, title, options, console, measure, known.truth,
        labels=known.labels, threshold=asked.threshold, accept=known.accept, gallery=gallery,
    )  # fmt: skip


def _tell(asked: EvaluateOptions, verdicts: Sequence[Verdict], console: Console) -> None:
    """Print the figures, and write the tables."""
    from imgai.evaluation.out import write_tables
    from imgai.evaluation.tell import as_json, lines

    if asked.json:
        console.out_line(json.dumps(as_json(verdicts)))
    else:
        for line in lines(verdicts):
            console.out_line(line)
    if asked.out is None:
        return
    for each in verdicts:
        folder = _tables_of(asked.out, each.model, len(verdicts))
        write_tables(each.figures, each.rows, each.errors, folder)
    console.say(f"see {asked.out}")


def _tables_of(out: Path, model: str, models: int) -> Path:
    """The folder of a model's tables: of several, each has its own."""
    return out / model.replace("/", "-") if models > 1 else out
