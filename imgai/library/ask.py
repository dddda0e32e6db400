"""`imgai.load` and `imgai.run`: what was asked for, in the command's own words or as arguments."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgai.errors import UsageError
from imgai.library.chain import Asked, Chain
from imgai.options import Machine, RunOptions
from imgai.params import check, option_name
from imgai.registry import Registry, load_registry
from imgai.words.chain import assemble
from imgai.words.command import parse
from imgai.words.steps import Asked as AskedStep
from imgai.words.steps import settled, step_options

if TYPE_CHECKING:
    from imgai.params import Option

MAX_PIXELS = 200_000_000
_NOWHERE = Path("out.csv")  # a chain writes nothing by itself; a name that anything, labels too, could be written under


def load(*steps: str, machine: Machine | None = None, max_pixels: int = MAX_PIXELS, **options: Any) -> Chain:
    """Steps that are called with a picture. No weights are read before the first call.

    steps: a task's name with its options as arguments (``load("segment", model="subject")``), or the command's own
        words (``load("segment --model subject")``), several of which are a chain.
    machine: what the networks run on; by default the best device there is.
    max_pixels: refuse pictures with more.
    options: those of the one step, by the names that the command line has for them, with ``_`` for ``-``.

    imgai.toml and environment variables are not read. Raises UsageError for what cannot be asked.
    """
    registry = _registry()
    if not steps:
        raise UsageError("there is no step", 'name a task: imgai.load("segment")')
    if options and len(steps) > 1:
        raise UsageError(
            "options are of one step, and here are several", 'write them in the steps: "denoise --strength 0.4"'
        )
    asked = [_asked(text, registry, options) for text in steps]
    # A chain writes nothing, so that every step may say how it would be written.
    specs, outputs = assemble(asked, (), registry, out=_NOWHERE, hint="")
    return Chain(Asked(tuple(specs), outputs, dict(asked[-1].values), registry), machine or Machine(), max_pixels)


def run(
    steps: str | Sequence[str],
    inputs: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    machine: Machine | None = None,
    keep: Sequence[str] = (),
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Take files through steps as the command does, and yield the record of each input as it is finished.

    steps: one or several in the command's own words. inputs: files, folders, globs or @lists.
    out: the folder of what is made, the one file, or the table of labels. keep: steps before the last that are written
    too. options: those of the run (force, overwrite, fail_fast, threads, memory, max_pixels); see docs/runs.md.

    Nothing is done before the first record is asked for. An input that fails has a record that says why. A second run
    does what is missing or has changed. Raises UsageError for what cannot be asked, PluginError for a model that
    cannot be loaded.
    """
    from imgai.library.log import Log
    from imgai.params import as_values
    from imgai.runs import Run

    registry = _registry()
    texts = [steps] if isinstance(steps, str) else list(steps)
    if not texts:
        raise UsageError("there is no step", 'name one: imgai.run("segment", ...)')
    named = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
    out = None if out is None else Path(out)
    asked = [_asked(text, registry, {}) for text in texts]
    specs, outputs = assemble(asked, tuple(keep), registry, out=out, hint="say out=")
    told = as_values(
        RunOptions,
        {"inputs": [str(each) for each in named], "out": out, **options},
        outputs=outputs,
        machine=machine or Machine(),
    )
    return iter(Run(specs, told, Log()))


@cache
def _registry() -> Registry:
    return load_registry()


def _asked(text: str, registry: Registry, options: dict[str, Any]) -> AskedStep:
    """A step in the command's words, with further options by name. Raises UsageError."""
    try:
        name, *words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the step {text!r} cannot be read: {error}") from None
    task = registry.task(name)
    # Without their variables: a program means what it says, whatever the shell is set to.
    known = {each.name: dataclasses.replace(each, variable="") for each in step_options(task, registry)}
    given = parse(name, words, list(known.values()))
    values = {**given.values, **_checked(options, known, name)}
    return settled(AskedStep(task, values, frozenset(values), text), registry)


def _checked(options: dict[str, Any], known: dict[str, Option], task: str) -> dict[str, Any]:
    checked = {}
    for name, value in options.items():
        field = name if name in known else f"{name}_"  # `as` is a word of Python
        if field not in known:
            names = ", ".join(each.rstrip("_") for each in known)
            raise UsageError(f"{task} has no option {name!r}", f"it has {names}")
        if value is not None:
            checked[field] = check(known[field], value, option_name(field))
    return checked
