"""What the contract asks of a plugin, one function a promise: a `Subject` to the faults that are found.

`imgai.testing.PluginContract` calls them as tests, ``imgai plugins check`` without pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imgai.testing.checks.answers import batch, colors, repeats, sizes, values
from imgai.testing.checks.declared import functions, imports, registers, summaries, weights
from imgai.testing.checks.given import params
from imgai.testing.checks.learning import bfloat16, training
from imgai.testing.checks.numbered import instances
from imgai.testing.checks.process import device, memory, state
from imgai.testing.checks.seams import tiles
from imgai.testing.fault import Fault
from imgai.testing.subject import Subject, short

__all__ = ["CHECKS", "DECLARED", "check_all", "faults"]

Check = Callable[[Subject], Iterator[Fault]]

DECLARED: dict[str, Check] = {
    "registers": registers,
    "imports": imports,
    "summaries": summaries,
    "functions": functions,
    "weights": weights,
}
"""The checks of what is declared; the others need models that load."""
CHECKS: dict[str, Check] = {
    **DECLARED,
    "sizes": sizes,
    "values": values,
    "colors": colors,
    "batch": batch,
    "repeats": repeats,
    "tiles": tiles,
    "params": params,
    "instances": instances,
    "state": state,
    "memory": memory,
    "bfloat16": bfloat16,
    "training": training,
    "device": device,
}
"""All checks, in the order in which they are made."""


def faults(name: str, subject: Subject) -> list[Fault]:
    """What one check finds; an error of the plugin's that nobody foresaw is a fault, too."""
    try:
        return list(CHECKS[name](subject))
    except Exception as error:
        return [Fault("the plugin", short(error))]


def check_all(subject: Subject) -> Iterator[tuple[str, list[Fault]]]:
    """Every check with its faults. Where the declarations are wrong, or no model loads, the others are left out."""
    broken = False
    for name in DECLARED:
        found = faults(name, subject)
        broken = broken or (bool(found) and name in ("registers", "functions"))
        yield name, found
    if broken or not subject.runnable:
        return
    try:
        assert subject.steps
    except Exception as error:
        yield (
            "loading",
            [Fault("the plugin", short(error), "does load return a Predictor? is what it needs installed?")],
        )
        return
    for name in CHECKS:
        if name not in DECLARED:
            yield name, faults(name, subject)
