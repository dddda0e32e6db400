"""Assemble requested steps to a chain."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgai.errors import UsageError
from imgai.options import PRINTED, OutputOptions
from imgai.registry import Registry
from imgai.words.steps import Asked, outputs_of, spec_of, unplaced, written_options

if TYPE_CHECKING:
    from imgai.predict.spec import KindSpec, StepSpec

RECORDED = frozenset(("top", "threshold"))
"""Output options that also affect the record, which every step may have."""


def assemble(
    steps: Sequence[Asked], keep: Sequence[str], registry: Registry, *, out: Path | None, hint: str
) -> tuple[list[StepSpec], OutputOptions]:
    """Steps that were asked for as a chain, and what is written of the last. Raises UsageError.

    keep: names of steps whose masks, or cut-outs that they pass on, are written too. out: where the output of the last
    goes; without it, labels are printed, and for anything else an error says the hint.
    What files and variables say of outputs is for the last step, and for those that are kept.
    """
    from imgai.predict.spec import Keep

    last = steps[-1]
    if out is None and last.task.output not in PRINTED:
        raise UsageError("it is not said where to", hint)
    specs: list[StepSpec] = []
    wanted = tuple(dict.fromkeys(keep))
    for step in steps[:-1]:
        spec = spec_of(step, registry, name=_name(step, specs))
        passing = _passing(step, registry)
        if passing is not None:
            if kept := [each.name for each in specs if each.keep and not each.passes]:
                words = f"--keep {kept[0]}: the {passing.name} of {step.text!r} becomes the picture of the next step"
                raise UsageError(words, f"leave out --keep {kept[0]}, or write that in a run of its own")
            keeps = Keep(spec.name, (passing,)) if spec.name in wanted else None
            specs.append(dataclasses.replace(spec, passes=passing, keep=keeps))
            continue
        specs.append(_kept(step, spec, registry) if spec.name in wanted else _unwritten(step, spec, registry))
    last = last if out is not None else unplaced(last)
    specs.append(spec_of(last, registry, name=_name(last, specs)))
    if unknown := [name for name in wanted if name not in {spec.name for spec in specs}]:
        names = ", ".join(spec.name for spec in specs)
        raise UsageError(f"--keep {unknown[0]}: there is no such step", f"the steps are {names}")
    return specs, outputs_of(last, registry, out)


def _name(step: Asked, before: Sequence[StepSpec]) -> str:
    """Return the name of a step: ``TASK-2`` for the second step of a task."""
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


def _passing(step: Asked, registry: Registry) -> KindSpec | None:
    """The kind of a step before the last that becomes the image of the next, where it was asked for."""
    if "as_" not in step.typed:  # what files say of outputs is for the last step
        return None
    kinds = outputs_of(step, registry).kinds
    if not any(each.kind.passes for each in kinds):
        return None
    if len(kinds) > 1:
        names = ",".join(each.name for each in kinds)
        raise UsageError(f"the step {step.text!r}: --as {names}: one picture is passed on", "leave one of them")
    return kinds[0]


def _can_be_kept(kinds: Sequence[KindSpec]) -> bool:
    return bool(kinds) and all(each.kind.once == "page" for each in kinds)


def _unwritten(step: Asked, spec: StepSpec, registry: Registry) -> StepSpec:
    """A step of which nothing is written. Raises UsageError where that was asked for."""
    written = {each.name for each in written_options(step.task.output, registry)} - RECORDED
    step = step.without(written)
    if any(step.values.get(name) for name in written):
        kept = _can_be_kept(outputs_of(step, registry).kinds)
        hint = f"add --keep {spec.name}" if kept else "give the last step the option"
        raise UsageError(f"the step {step.text!r} is not the last, so nothing is written of it", hint)
    return spec_of(step, registry, name=spec.name)
