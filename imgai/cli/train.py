"""``imgai train``: train a model on your own pictures."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from imgai.cli.command import add_command
from imgai.console import Console, prints_aside
from imgai.errors import PluginError, UsageError
from imgai.training.settings import TrainOptions, kept_options, train_options
from imgai.words.command import Given

if TYPE_CHECKING:
    from imgai.cli.settings import Settings
    from imgai.params import Option
    from imgai.plugin import Task
    from imgai.registry import Registry

_LAYOUTS = {
    "scores": "The folder has a folder of pictures for each class, or a CSV of name,label.",
    "mask": "The folder has images/ and masks/ with the same names, or a COCO JSON.",
    "image": "The folder has input/ and target/ with the same names, or only clean pictures.",
    "boxes": "The folder has pictures with a COCO JSON, or images/ and labels/ in YOLO's format.",
}
_MORE = """The sub-folders train/, val/ and test/ are used if they exist; else a fifth is used for validation, chosen by
content. All pictures are checked before the first step."""


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai train TASK`` for every task that has a model which can be trained."""

    class Trainable(TyperGroup):
        """The tasks that can be trained; another one is answered by its name."""

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            """The command of the task that the first word names. Raises UsageError for one that cannot be trained."""
            if args and args[0] in registry.tasks and args[0] not in self.commands:
                able = ", ".join(sorted(self.commands))
                raise UsageError(f"no model of {args[0]} can be trained", f"imgai train takes {able}")
            return super().resolve_command(ctx, args)

    group = typer.Typer(cls=Trainable, help="Train a model on your own pictures.", no_args_is_help=True)
    for task in registry.tasks.values():
        names = [model.name for model in registry.models(task.name) if model.train is not None]
        if names:
            add_command(
                group,
                task.name,
                _options(names),
                partial(_train, task),
                help=f"{_LAYOUTS.get(task.output.value, '')}\n\n{_MORE}\n\nModels for --from: {', '.join(names)}.",
                short_help=f"Train {task.name}.",
            )
    app.add_typer(group, name="train")


def _options(names: list[str]) -> list[Option]:
    return [
        dataclasses.replace(each, suggested=tuple(names)) if each.name == "from_" else each for each in train_options()
    ]


def _train(task: Task, given: Given) -> int:
    gc.enable()  # the command line starts without it
    values, typed = given.values, given.typed
    if (file := values.get("settings")) is not None:
        said = _read(file)
        values = {**said, **{name: values[name] for name in values if name in typed or name not in said}}
        typed = typed | said.keys()
    options = TrainOptions(**values)
    console = Console(quiet=options.quiet or options.json, verbose=options.verbose)
    try:
        from imgai.training.train import train
    except ImportError as error:
        raise PluginError(f"training needs {error.name}", "pip install 'imgai[train]'") from error
    with prints_aside():
        return train(task.name, options, frozenset(typed), console)


def _read(file: Path) -> Mapping[str, Any]:
    """The options that a TOML file sets. Raises UsageError with file and line for what is wrong in it."""
    from imgai.words.toml import TomlFile

    toml = TomlFile(file)
    values = toml.values("", toml.content, kept_options())
    toml.check()
    return values
