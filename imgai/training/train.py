"""``imgai train``: from a folder of pictures to a model that runs like any other."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from functools import partial
from pathlib import Path
from typing import Any

import torch

from imgai import hidden, trained
from imgai.console import Console
from imgai.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, UsageError
from imgai.plugin import Model, Task
from imgai.predict.device import choose_devices, settle_math, tune_allocator
from imgai.registry import Registry, load_registry
from imgai.training import checkpoint
from imgai.training.begin import base_of
from imgai.training.dataset import Dataset, read_dataset
from imgai.training.prepare import ENDED, UNMEASURED, Job, work
from imgai.training.recorder import CANDIDATE, CHECKPOINT, locked
from imgai.training.rehearse import rehearse
from imgai.training.search import SOUGHT, search
from imgai.training.settings import TrainOptions, differing, remembered, resumed
from imgai.training.tell import Teller
from imgai.training.world import together

_NEEDED = ("matplotlib", "pycocotools", "sklearn")


def train(task: str, options: TrainOptions, typed: frozenset[str], console: Console) -> int:
    """Train, and return the exit code. typed: the names of the options that the person gave.

    Raises UsageError for what cannot be, PluginError for a model that cannot be loaded, Unlearned where the loss is no
    number.
    """
    tune_allocator()
    settle_math()
    _check_extras(options)
    registry = load_registry()
    teller = Teller(console, as_json=options.json)
    name, folder = _place(options, task, registry)
    with contextlib.ExitStack() as stack:
        if not options.dry_run:
            if not stack.enter_context(locked(folder)):
                raise UsageError(f"another training writes to {folder}", "wait for it, or choose another --name")
            _sweep(folder)
            options, before = _resumed(options, typed, folder, name)
        else:
            before = None
        job = _job(task, name, folder, options, registry, teller, before)
        devices = choose_devices(options.devices)
        if options.dry_run:
            return rehearse(job, devices, teller)
        if options.search and before is None:
            job = search(job, devices, teller)
        ended = folder / ENDED
        ended.unlink(missing_ok=True)
        try:
            together(devices, partial(work, job, console.quiet, console.verbose))
        finally:
            (folder / SOUGHT).unlink(missing_ok=True)
        how = ended.read_text() if ended.is_file() else ""
        ended.unlink(missing_ok=True)
    return {"stopped": EXIT_INTERRUPTED, UNMEASURED: EXIT_FAILED}.get(how, EXIT_OK)


def _check_extras(options: TrainOptions) -> None:
    """Raise UsageError for what is not installed, before anything is done."""
    if lacking := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise UsageError(f"training needs {' and '.join(lacking)}", "pip install 'imgai[train]'")
    if options.tensorboard and importlib.util.find_spec("tensorboardX") is None:
        raise UsageError("--tensorboard needs tensorboardX", "pip install 'imgai[tensorboard]'")


def _place(options: TrainOptions, task: str, registry: Registry) -> tuple[str, Path]:
    """The name of the model and the folder of the training. Raises UsageError."""
    if options.name is None and options.out is None:
        if options.dry_run:
            return "model", Path()
        raise UsageError("say what the model is to be called, or where it goes", "--name NAME, or --out FOLDER")
    name = options.name or _plain(options.out.resolve().name if options.out else "")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"a model cannot be called {name!r}", "lower-case words joined by dashes, as my-vessels")
    if options.out is not None:
        if options.out.exists() and not options.out.is_dir():
            raise UsageError(f"--out {options.out} is a file", "name a folder")
        if options.folder.resolve() in (options.out.resolve(), *options.out.resolve().parents):
            raise UsageError(f"--out {options.out} lies among the pictures", "name a folder beside them")
        return name, options.out
    taken = [model for model in registry.models(task) if name in (model.name, model.family)]
    if taken:
        owner = registry.owner(taken[0]).distribution
        raise UsageError(f"{name} is a model of {owner}, which would be taken instead", "choose another --name")
    return name, trained.place(name)


def _sweep(folder: Path) -> None:
    """Remove what a training that was killed left half done."""
    hidden.sweep(folder, below=False)
    for name in (CANDIDATE, SOUGHT):
        (folder / name).unlink(missing_ok=True)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _resumed(
    options: TrainOptions, typed: frozenset[str], folder: Path, name: str
) -> tuple[TrainOptions, dict[str, Any] | None]:
    """The options of a training that goes on, with what it had learned of itself; or as they are, and None."""
    there = folder / f"{name}{trained.SUFFIX}"
    if not options.resume:
        if (there.exists() or (folder / CHECKPOINT).exists()) and not options.overwrite:
            words = f"{folder} holds a model or a training already"
            raise UsageError(words, "go on with --resume, begin anew with --overwrite, or choose another --name")
        return options, None
    kept = checkpoint.load(folder / CHECKPOINT, torch.device("cpu"))
    if other := differing(options, kept["options"], typed):
        was = kept["options"].get(other[0])
        flag = other[0].rstrip("_").replace("_", "-")
        raise UsageError(f"--{flag} was {was} in the training that goes on", "leave it out, or begin anew")
    return resumed(options, kept["options"], typed), kept


def _job(
    task: str,
    name: str,
    folder: Path,
    options: TrainOptions,
    registry: Registry,
    teller: Teller,
    before: dict[str, Any] | None,
) -> Job:
    declared = registry.task(task)
    base = base_of(registry, declared, options.from_)
    teller.event("begin", task=task, name=name, base=base.name)
    dataset = read(options, declared, base)
    if before is not None and before["fingerprint"] != dataset.fingerprint:
        raise UsageError(f"{options.folder} has changed since that training began", "begin anew, without --resume")
    for line in dataset.report:
        teller.warn(line)
    counts = ", ".join(f"{len(examples)} {part}" for part, examples in dataset.parts.items())
    classes = f"; {len(dataset.labels)} classes" if len(dataset.labels) > 1 else ""
    named = options.from_ or base.name
    teller.say(f"pictures: {counts}{classes}; from {named}")
    return Job(task, name, named, folder, options, dataset, before is not None, remembered(options))


def read(options: TrainOptions, task: Task, base: Model) -> Dataset:
    """The pictures, with the classes in the order that the base has them in, where they are the same."""
    ask = partial(
        read_dataset, options.folder, task.output, group=options.group, scale=base.scale, max_pixels=options.max_pixels
    )
    dataset: Dataset = ask()
    labels = base.labels or ()
    if dataset.labels != labels and sorted(dataset.labels) == sorted(labels) and len(labels) > 1:
        return ask(labels=labels)
    return dataset
