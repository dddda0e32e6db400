"""``imgai chain``: several steps in one run."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imgai.cli.command import add_command
from imgai.cli.settings import Settings
from imgai.cli.start import start
from imgai.errors import UsageError
from imgai.options import ChainFormat, ChainOptions, Machine
from imgai.params import Option, check, options_of, plain
from imgai.registry import Registry
from imgai.words.chain import RECORDED, assemble
from imgai.words.command import Given, machine_options, run_options
from imgai.words.recipe import write_recipe
from imgai.words.steps import Asked, parse_step, set_options, with_formats, written_options

if TYPE_CHECKING:
    from imgai.predict.spec import StepSpec

_HELP = """Process images in several steps, without files in between.

A step is a command without imgai, in quotes: imgai chain ./scans --out ready/ "denoise --strength 0.4"
"super-resolve --scale 2". Inputs come before steps."""


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai chain``."""

    def work(given: Given) -> int:
        asked = given.of(ChainOptions, machine=given.of(Machine))
        inputs, texts = _divide(asked.inputs, registry)
        steps = [parse_step(text, registry, settings.of(_first(text))) for text in texts]
        steps[-1] = _with_format(steps[-1], given, registry)
        specs, outputs = assemble(steps, asked.keep, registry, out=asked.out, hint="add --out FOLDER")
        recipe = None if asked.save_recipe is None else _recipe(asked, given, steps, specs, registry)
        code = start(specs, dataclasses.replace(asked, inputs=tuple(inputs), outputs=outputs))
        if asked.save_recipe is not None and recipe is not None and not asked.dry_run:
            _save(asked.save_recipe, recipe)  # only here: by now the run has found its inputs
        return code

    options = [with_formats(each, registry) for each in _options()]
    add_command(app, "chain", options, work, help=_HELP, settings=settings.of())


def _options() -> list[Option]:
    return [*run_options(ChainOptions), *options_of(ChainFormat, "Output"), *machine_options()]


def _with_format(step: Asked, given: Given, registry: Registry) -> Asked:
    """Add the format that was given outside of the quotes to the last step."""
    wanted = {each.name: given.values[each.name] for each in options_of(ChainFormat) if each.name in given.values}
    if not wanted:
        return step
    known = {each.name: each for each in written_options(step.task.output, registry)}
    for name in wanted:
        if name not in known:
            raise UsageError(f"--{name}: {step.task.name} writes no pictures that have one", "leave it out")
        if name in step.typed:
            raise UsageError(f"--{name} is given twice, also in {step.text!r}", "leave out one of them")
    values = {name: check(known[name], value) for name, value in wanted.items()}
    return dataclasses.replace(step, values={**step.values, **values}, typed=step.typed | values.keys())


def _recipe(
    asked: ChainOptions, given: Given, steps: Sequence[Asked], specs: Sequence[StepSpec], registry: Registry
) -> bytes:
    """The steps as a recipe, with what files and variables say of them. Raises UsageError where another one is."""
    saved = [each for each in _options() if each.name in given.typed and each.traits.scope == "saved"]
    defaults = {each.key: plain(each, given.values[each.name]) for each in saved}
    tables = []
    for step, spec in zip(steps, specs, strict=True):
        written = {each.name for each in written_options(step.task.output, registry)} - RECORDED
        leave = () if spec is specs[-1] or spec.keep is not None else written
        tables.append((spec.task.name, set_options(step, registry, leave), spec.keep is not None))
    content = write_recipe(tables, defaults).encode()
    path = asked.save_recipe
    if path is not None and path.exists() and not asked.force and path.read_bytes() != content:
        raise UsageError(f"--save-recipe {path}: there is such a file", "name another, or add --force")
    return content


def _save(path: Path, content: bytes) -> None:
    from imgai.runs.commit import commit

    if not path.exists() or path.read_bytes() != content:
        commit(path, lambda file: file.write(content))


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
