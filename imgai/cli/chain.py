"""``imgai chain``: several steps over the same inputs, in one go."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imgai.cli.command import Given, add_command, machine_options, run_options
from imgai.cli.recipe import write_recipe
from imgai.cli.settings import Settings
from imgai.cli.start import start
from imgai.cli.steps import Asked, outputs_of, parse_step, set_options, spec_of, unplaced, written_options
from imgai.errors import UsageError
from imgai.options import PRINTED, ChainOptions, Machine, OutputOptions
from imgai.params import Option, plain
from imgai.registry import Registry

if TYPE_CHECKING:
    from imgai.predict.spec import KindSpec, StepSpec

_HELP = """Take images through several steps, without a file between them.

A step is a command as you would type it, in quotes: imgai chain ./scans --out ready/ "denoise --strength 0.4"
"super-resolve --scale 2". What is not a step is an input; inputs come first."""
_RECORDED = frozenset(("top", "threshold"))
"""Options of what is written that decide what the record holds too, so that any step may have them."""


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add ``imgai chain``."""

    def work(given: Given) -> int:
        asked = given.of(ChainOptions, machine=given.of(Machine))
        inputs, texts = _divide(asked.inputs, registry)
        steps = [parse_step(text, registry, settings.of(_first(text))) for text in texts]
        specs, outputs = assemble(steps, asked.keep, registry, out=asked.out, hint="add --out FOLDER")
        recipe = None if asked.save_recipe is None else _recipe(asked, given, steps, specs, registry)
        code = start(specs, dataclasses.replace(asked, inputs=tuple(inputs), outputs=outputs))
        if asked.save_recipe is not None and recipe is not None and not asked.dry_run:
            _save(asked.save_recipe, recipe)  # only here: by now the run has found its inputs
        return code

    add_command(app, "chain", _options(), work, help=_HELP, settings=settings.of())


def assemble(
    steps: Sequence[Asked], keep: Sequence[str], registry: Registry, *, out: Path | None, hint: str
) -> tuple[list[StepSpec], OutputOptions]:
    """Steps that were asked for as a chain, and what is written of the last. Raises UsageError.

    keep: names of steps whose masks are written too. out: where the output of the last goes; without it, labels are
    printed, and for anything else an error says the hint.
    What files and variables say of outputs is for the last step, and for those that are kept.
    """
    last = steps[-1]
    if out is None and last.task.output not in PRINTED:
        raise UsageError("it is not said where to", hint)
    specs: list[StepSpec] = []
    wanted = tuple(dict.fromkeys(keep))
    for step in steps[:-1]:
        spec = spec_of(step, registry, name=_name(step, specs))
        specs.append(_kept(step, spec, registry) if spec.name in wanted else _unwritten(step, spec, registry))
    last = last if out is not None else unplaced(last)
    specs.append(spec_of(last, registry, name=_name(last, specs)))
    if unknown := [name for name in wanted if name not in {spec.name for spec in specs}]:
        names = ", ".join(spec.name for spec in specs)
        raise UsageError(f"--keep {unknown[0]}: there is no such step", f"the steps are {names}")
    return specs, outputs_of(last, registry, out)


def _options() -> list[Option]:
    return [*run_options(ChainOptions), *machine_options()]


def _name(step: Asked, before: Sequence[StepSpec]) -> str:
    """What a step is called: the second of a task is ``TASK-2``."""
    earlier = sum(spec.task.name == step.task.name for spec in before)
    return f"{step.task.name}-{earlier + 1}" if earlier else step.task.name


def _kept(step: Asked, spec: StepSpec, registry: Registry) -> StepSpec:
    """A step before the last whose masks are written."""
    from imgai.predict.spec import Keep

    kinds = outputs_of(step, registry).kinds
    for each in kinds:
        if each.kind.once == "run":
            raise UsageError(f"the step {step.text!r}: --as {each.name} is for the last step", "keep another kind")
    if not _can_be_kept(kinds):
        raise UsageError(f"--keep {spec.name}: nothing of that step can be kept", "name one that makes masks")
    return dataclasses.replace(spec, keep=Keep(spec.name, kinds))


def _can_be_kept(kinds: Sequence[KindSpec]) -> bool:
    return bool(kinds) and all(each.kind.once == "page" for each in kinds)


def _unwritten(step: Asked, spec: StepSpec, registry: Registry) -> StepSpec:
    """A step of which nothing is written. Raises UsageError where that was asked for."""
    written = {each.name for each in written_options(step.task.output, registry)} - _RECORDED
    step = step.without(written)
    if any(step.values.get(name) for name in written):
        kept = _can_be_kept(outputs_of(step, registry).kinds)
        hint = f"add --keep {spec.name}" if kept else "give the last step the option"
        raise UsageError(f"the step {step.text!r} is not the last, so nothing is written of it", hint)
    return spec_of(step, registry, name=spec.name)


def _recipe(
    asked: ChainOptions, given: Given, steps: Sequence[Asked], specs: Sequence[StepSpec], registry: Registry
) -> bytes:
    """The steps as a recipe, with what files and variables say of them. Raises UsageError where another one is."""
    saved = [each for each in _options() if each.name in given.typed and each.traits.scope == "saved"]
    defaults = {each.key: plain(each, given.values[each.name]) for each in saved}
    tables = []
    for step, spec in zip(steps, specs, strict=True):
        written = {each.name for each in written_options(step.task.output, registry)} - _RECORDED
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
