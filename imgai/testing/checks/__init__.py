"""The checks of the contract: one function per check, which takes a `Subject` and yields the faults.

`imgai.testing.PluginContract` runs them as tests, ``imgai plugins check`` without pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imgai.testing.checks.answers import batch, colors, repeats, sizes, values
from imgai.testing.checks.declared import functions, imports, registers, summaries, weights
from imgai.testing.checks.given import params
from imgai.testing.checks.known import examples
from imgai.testing.checks.learning import bfloat16, training
from imgai.testing.checks.numbered import instances
from imgai.testing.checks.process import device, loads, memory, state
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
"""The checks of declarations; the others need models that can be loaded."""
CHECKS: dict[str, Check] = {
    **DECLARED,
    "loads": loads,
    "sizes": sizes,
    "values": values,
    "colors": colors,
    "examples": examples,
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
"""All checks, in the order in which they run."""


def faults(name: str, subject: Subject) -> list[Fault]:
    """Return the faults of one check. An unexpected exception of the plugin is a fault too."""
    try:
        return list(CHECKS[name](subject))
    except Exception as error:
        return [Fault("the plugin", short(error))]


def check_all(subject: Subject) -> Iterator[tuple[str, list[Fault]]]:
    """Yield every check with its faults. If declarations are wrong or no model loads, the other checks are skipped.

    So are those that the plugin's `Contract` exempts.
    """
    broken = False
    wanted = [name for name in CHECKS if name not in subject.contract.exempt]
    for name in (name for name in wanted if name in DECLARED):
        results = faults(name, subject)
        broken = broken or (bool(results) and name in ("registers", "functions"))
        yield name, results
    if broken or not subject.runnable:
        return
    for name in (name for name in wanted if name not in DECLARED):
        if name == "loads" or subject.steps:
            yield name, faults(name, subject)
