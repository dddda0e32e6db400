"""`imgai.load` and `imgai.run`."""

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
from imgai.params import check, option_name, options_of
from imgai.registry import Registry, load_registry
from imgai.words.chain import assemble
from imgai.words.command import parse
from imgai.words.steps import Asked as AskedStep
from imgai.words.steps import settled, step_options

if TYPE_CHECKING:
    from imgai.params import Option

MAX_PIXELS = 200_000_000
_NOWHERE = Path("out.csv")  # never written; a valid output name for every task, including those that make tables


def load(
    *steps: str,
    machine: Machine | None = None,
    max_pixels: int = MAX_PIXELS,
    channel: str | None = None,
    dpi: float | None = None,
    **options: Any,
) -> Chain:
    """Return a callable that runs one or more steps on a picture. Weights are read by its first call.

    steps: the name of a task, with its options as keyword arguments (``load("segment", model="subject")``), or steps
        as on the command line (``load("segment --model subject")``); several steps make a chain.
    machine: the device and how the networks run on it; by default the best available device.
    max_pixels: the maximum number of pixels; larger pictures are refused.
    channel: use only this channel: its number from 1, its name, or red, green, blue.
    dpi: the resolution of the pictures in dots per inch; overrides the files.
    options: options of the step, if there is only one. Names are those of the command line with ``_`` for ``-``.

    Does not read imgai.toml or environment variables. Raises UsageError for an invalid request.
    """
    registry = _registry()
    if not steps:
        raise UsageError("there is no step", 'name a task: imgai.load("segment")')
    if options and len(steps) > 1:
        raise UsageError(
            "options are of one step, and here are several", 'write them in the steps: "denoise --strength 0.4"'
        )
    asked = [_asked(text, registry, options) for text in steps]
    # A chain does not write files, so every step may have output options.
    specs, outputs = assemble(asked, (), registry, out=_NOWHERE, hint="")
    known = {each.name: each for each in options_of(RunOptions)}
    channel = channel if channel is None else check(known["channel"], str(channel), "channel")
    dpi = dpi if dpi is None else check(known["dpi"], dpi, "dpi")
    request = Asked(tuple(specs), outputs, dict(asked[-1].values), registry, channel, dpi)
    return Chain(request, machine or Machine(), max_pixels)


def run(
    steps: str | Sequence[str],
    inputs: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    machine: Machine | None = None,
    keep: Sequence[str] = (),
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """Process files as the command does, and yield the record of each input when it is finished.

    steps: one or several steps, as on the command line.
    inputs: files, folders, globs or @lists.
    out: the output folder, the output file, or the table of labels.
    machine: the device and how the networks run on it; by default the best available device.
    keep: names of steps before the last whose outputs are also written.
    options: options of the run (force, overwrite, fail_fast, threads, memory, max_pixels, channel, dpi, on, workers);
        see docs/runs.md and docs/scale.md.

    The run starts when the first record is requested. The record of a failed input has the error. A second run
    processes only what is missing or has changed. Raises UsageError for an invalid request, PluginError for a model
    that cannot be loaded.
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
    """Parse a step as on the command line, with further options by name. Raises UsageError."""
    try:
        name, *words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the step {text!r} cannot be read: {error}") from None
    task = registry.task(name)
    # Environment variables are ignored: a program's result must not depend on the shell that starts it.
    known = {each.name: dataclasses.replace(each, variable="") for each in step_options(task, registry)}
    given = parse(name, words, list(known.values()))
    values = {**given.values, **_checked(options, known, name)}
    return settled(AskedStep(task, values, frozenset(values), text), registry)


def _checked(options: dict[str, Any], known: dict[str, Option], task: str) -> dict[str, Any]:
    checked = {}
    for name, value in options.items():
        field = name if name in known else f"{name}_"  # `as` is a keyword of Python
        if field not in known:
            names = ", ".join(each.rstrip("_") for each in known)
            raise UsageError(f"{task} has no option {name!r}", f"it has {names}")
        if value is not None:
            checked[field] = check(known[field], value, option_name(field))
    return checked
