"""Checks of params: each has an effect, and every allowed value is accepted."""

from __future__ import annotations

from collections.abc import Iterator

from imgai.params import Option, option_name, options_of
from imgai.plugin import NoParams
from imgai.predict.step import Step
from imgai.sample import Sample
from imgai.testing.fault import Fault
from imgai.testing.images import discs, noise
from imgai.testing.subject import Subject, called, difference, plain_side, sample, short

_CHOICES = 8
"""The maximum number of choices of a param that are all tried."""


def params(subject: Subject) -> Iterator[Fault]:
    """Every param has an effect on the answer, and its minimum, maximum and choices work."""
    for step in subject.distinct:
        model, task = step.model, step.task
        ignored = set(model.ignores)
        of_task = options_of(task.params)
        given = subject.model_params.get(model.name, {})
        options = [*of_task, *options_of(model.params or NoParams)]
        for option in options:
            values = _values(option)
            if not values or option.name in given:
                continue
            foreign = option in of_task and not any(task == own for own in subject.tasks)
            yield from _tried(subject, step, option, values, option.name in ignored, foreign)


def _tried(
    subject: Subject, step: Step, option: Option, values: dict[str, object], ignored: bool, foreign: bool
) -> Iterator[Fault]:
    where = called(step)
    pictures = _pictures(step)
    try:
        usual = [step(each) for each in pictures]
    except Exception:
        return  # reported by another check
    changes = False
    for words, value in values.items():
        try:
            other = subject.load(step.model, {option.name: value})
            answers = [other(each) for each in pictures]
        except Exception as error:
            advice = "mend it, or declare what it takes: minimum, maximum, choices"
            yield Fault(where, f"with {option.flag} {value} ({words}) it fails: {short(error)}", advice)
            return
        changes = changes or any(_differ(step, one, two) for one, two in zip(usual, answers, strict=True))
    if option.name in subject.contract.unseen:
        return
    if ignored and changes:
        yield Fault(where, f"{option.flag} changes the answer, and ignores names it", "take it out of ignores")
    elif not ignored and not changes:
        whose = "the task's " if foreign else ""
        read = "context.params" if option in options_of(step.task.params) else "context.model_params"
        advice = f"read {read}.{option.name} in load, or declare ignores=({option.name!r},)"
        yield Fault(where, f"{whose}{option_name(option.name)} changes nothing", advice)


def _differ(step: Step, one: Sample, other: Sample) -> bool:
    try:
        return float(difference(step, one, other).max()) > 0
    except (RuntimeError, ValueError):  # the shapes differ
        return True


def _pictures(step: Step) -> list[Sample]:
    side = plain_side(step, 64)
    drawn, _ = discs(side, side)
    return [
        sample((0.7 * drawn + 0.3 * noise(side, side)).contiguous(), step),
        sample(0.05 + 0.9 * noise(side, side, seed=2), step),
    ]


def _values(option: Option) -> dict[str, object]:
    """Return values to try for an option in addition to its default; none if they cannot be derived."""
    about, default = option.about, option.default
    if about.file or about.weighted:
        return {}
    if option.type is bool:
        return {"the opposite of its default": not default}
    if about.choices:
        chosen = [choice for choice in about.choices if choice != default]
        if len(chosen) > _CHOICES:
            chosen = [*chosen[:2], chosen[len(chosen) // 2], chosen[-1]]
        return {f"choice {choice}": (choice,) if option.type is tuple else choice for choice in chosen}
    if option.type in (int, float):
        ends = {"its minimum": about.minimum, "its maximum": about.maximum}
        values = {words: option.type(value) for words, value in ends.items() if value is not None and value != default}
        if not values:
            values = {"twice its default and one": option.type(2 * float(str(default or 0)) + 1)}
        return values
    return {}
